#include "common/signing/profile_signature.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);
const std::string kRevision = "sha256:" + std::string(64, 'a');

PrivateKey KeyOf(char seed) { return PrivateKey::FromSeed(std::string(PrivateKey::kSeedBytes, seed)).value(); }

// The reason of a refusal; empty if it is taken.
std::string Verdict(const std::vector<v1::ProfileSignature>& signatures, const std::string& profile = "people",
                    const std::string& revision = kRevision, int64_t* counter = nullptr) {
  v1::ProfileSignature found;
  absl::Status status =
      VerifyProfile({KeyOf('t').public_key(), KeyOf('u').public_key()}, profile, revision, signatures, kNow, found);
  if (counter != nullptr) *counter = found.counter();
  return Reason(status);
}

TEST_CASE("the signed bytes are those of the format") {
  CHECK(StatementText({"people", kRevision, 7, kNow}) ==
        absl::StrCat("chartly-profile-signature-v1\nprofile people\nrevision ", kRevision,
                     "\ncounter 7\nexpires 1790000000\n"));
  CHECK(StatementText({"people", kRevision, 7}).find("expires never\n") != std::string::npos);
}

TEST_CASE("a signature holds for its profile, revision, counter and time alone") {
  const v1::ProfileSignature good = SignProfile(KeyOf('t'), {"people", kRevision, 7, kNow + absl::Seconds(1)});
  CHECK(Verdict({good}).empty());
  CHECK(Verdict({good}, "others") == "PROFILE_SIGNATURE_INVALID");
  CHECK(Verdict({good}, "people", "sha256:" + std::string(64, 'b')) == "PROFILE_SIGNATURE_INVALID");
  v1::ProfileSignature altered = good;
  altered.set_counter(8);
  CHECK(Verdict({altered}) == "PROFILE_SIGNATURE_INVALID");
  altered = good;
  altered.clear_expire_time();
  CHECK(Verdict({altered}) == "PROFILE_SIGNATURE_INVALID");
  altered = good;
  altered.set_key_id(KeyOf('u').public_key().id());
  CHECK(Verdict({altered}) == "PROFILE_SIGNATURE_INVALID");
  CHECK(Verdict({}) == "PROFILE_UNSIGNED");
  CHECK(Verdict({SignProfile(KeyOf('x'), {"people", kRevision, 7})}) == "PROFILE_KEY_UNTRUSTED");
  CHECK(Verdict({SignProfile(KeyOf('t'), {"people", kRevision, 7, kNow})}) == "PROFILE_SIGNATURE_EXPIRED");
}

TEST_CASE("of several signatures the valid one with the highest counter counts, in any order") {
  const v1::ProfileSignature low = SignProfile(KeyOf('t'), {"people", kRevision, 3});
  const v1::ProfileSignature high = SignProfile(KeyOf('u'), {"people", kRevision, 9});
  const v1::ProfileSignature foreign = SignProfile(KeyOf('x'), {"people", kRevision, 99});
  v1::ProfileSignature broken = SignProfile(KeyOf('u'), {"people", kRevision, 50});
  broken.set_counter(51);
  int64_t counter = 0;
  CHECK(Verdict({low, foreign, high}, "people", kRevision, &counter).empty());
  CHECK(counter == 9);
  CHECK(Verdict({high, broken, low}, "people", kRevision, &counter).empty());
  CHECK(counter == 9);
}

TEST_CASE("a file of signatures is read as it was written, and faults have their line") {
  const ProfileStatement one{"people", kRevision, 7, kNow};
  const ProfileStatement two{"people", kRevision, 8};
  const std::string text =
      SignatureFileText({{one, SignProfile(KeyOf('t'), one)}, {two, SignProfile(KeyOf('u'), two)}});
  auto read = ParseSignatureFile("people.yaml.sig", text);
  REQUIRE_OK(read);
  REQUIRE(read->size() == 2);
  CHECK((*read)[0].statement == one);
  CHECK((*read)[1].signature.SerializeAsString() == SignProfile(KeyOf('u'), two).SerializeAsString());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"counter 8", "counter 0"},
                                                                                 {"expires never", "expires soon"},
                                                                                 {"signature ", "signature !"},
                                                                                 {"key ", "kay "}}) {
    absl::Status faulty = ParseSignatureFile("people.yaml.sig", absl::StrReplaceAll(text, {{from, to}})).status();
    INFO(to);
    CHECK(Reason(faulty) == "SIGNATURE_FILE_INVALID");
    CHECK(testing::Says(faulty, "people.yaml.sig:"));
  }
  CHECK(Reason(ParseSignatureFile("x.sig", "profile people\n").status()) == "SIGNATURE_FILE_INVALID");
  CHECK(ParseSignatureFile("x.sig", "")->empty());
}

}  // namespace
}  // namespace chartly
