#include "drone/trust/profile_trust.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"
#include "common/signing/profile_signature.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

PrivateKey KeyOf(char seed) { return PrivateKey::FromSeed(std::string(PrivateKey::kSeedBytes, seed)).value(); }

std::string TextOf(const std::string& id, int revision) {
  return absl::StrCat("id: ", id, "\nname: n\nversion: 1.0.", revision,
                      "\nsource: {type: file, path: rows.json, format: json}\nmapping: {a: dims.a}\n");
}

v1::RunOrder OrderOf(const std::string& id, int revision, int64_t counter, char key = 't') {
  v1::RunOrder order;
  order.set_profile_id(id);
  order.set_content(TextOf(id, revision));
  const std::string hash = ContentHash(order.content());
  order.set_revision(absl::StrCat("profiles/", id, "@", hash));
  if (counter > 0) *order.add_signatures() = SignProfile(KeyOf(key), {id, hash, counter});
  return order;
}

struct TrustFixture {
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<ProfileTrust> trust = Open();
  std::unique_ptr<ProfileTrust> Open() {
    return ProfileTrust::Open(dir.File("trust"), {KeyOf('t').public_key()}, clock).value();
  }
  std::string Verdict(const v1::RunOrder& order) { return Reason(trust->Check(order)); }
};

TEST_CASE("a signed revision is trusted, and nothing older after it, also after a restart") {
  TrustFixture fixture;
  CHECK_OK(fixture.trust->Check(OrderOf("people", 1, 10)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 2, 20)));
  CHECK(fixture.Verdict(OrderOf("people", 1, 10)) == "PROFILE_DOWNGRADED");
  fixture.trust.reset();
  fixture.trust = fixture.Open();
  CHECK(fixture.Verdict(OrderOf("people", 1, 10)) == "PROFILE_DOWNGRADED");
  // Two revisions must not share a counter: which of them is newer could not be told.
  CHECK(fixture.Verdict(OrderOf("people", 3, 20)) == "PROFILE_DOWNGRADED");
  CHECK_OK(fixture.trust->Check(OrderOf("people", 2, 20)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 1, 21)));
  CHECK_OK(fixture.trust->Check(OrderOf("others", 1, 1)));
}

TEST_CASE("an unsigned, altered, foreign or misnamed text is refused") {
  TrustFixture fixture;
  CHECK(fixture.Verdict(OrderOf("people", 1, 0)) == "PROFILE_UNSIGNED");
  CHECK(fixture.Verdict(OrderOf("people", 1, 5, 'x')) == "PROFILE_KEY_UNTRUSTED");
  v1::RunOrder altered = OrderOf("people", 1, 5);
  altered.set_content(altered.content() + "# more\n");
  CHECK(fixture.Verdict(altered) == "PROFILE_ALTERED");
  altered.set_revision(absl::StrCat("profiles/people@", ContentHash(altered.content())));
  CHECK(fixture.Verdict(altered) == "PROFILE_SIGNATURE_INVALID");
  v1::RunOrder foreign = OrderOf("people", 1, 5);
  *foreign.mutable_signatures(0) = OrderOf("others", 1, 5).signatures(0);
  CHECK(fixture.Verdict(foreign) == "PROFILE_SIGNATURE_INVALID");
  v1::RunOrder swapped = OrderOf("people", 1, 5, 'x');
  swapped.mutable_signatures(0)->set_key_id(KeyOf('t').public_key().id());
  CHECK(fixture.Verdict(swapped) == "PROFILE_SIGNATURE_INVALID");
  // The signed text of another profile, ordered under this one's name.
  v1::RunOrder renamed = OrderOf("others", 1, 5);
  renamed.set_profile_id("people");
  renamed.set_revision(absl::StrCat("profiles/people@", ContentHash(renamed.content())));
  CHECK(fixture.Verdict(renamed) == "PROFILE_ALTERED");
  CHECK_OK(fixture.trust->Check(OrderOf("people", 1, 5)));
}

TEST_CASE("what was trusted may be ordered without its signature, until that ends") {
  TrustFixture fixture;
  v1::RunOrder order = OrderOf("people", 1, 0);
  *order.add_signatures() =
      SignProfile(KeyOf('t'), {"people", ContentHash(order.content()), 5, fixture.clock.Now() + absl::Hours(1)});
  CHECK_OK(fixture.trust->Check(order));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 1, 0)));
  fixture.clock.Advance(absl::Hours(1));
  CHECK(fixture.Verdict(OrderOf("people", 1, 0)) == "PROFILE_SIGNATURE_EXPIRED");
}

TEST_CASE("the revision that ran well last may be gone back to for a week, and nothing else") {
  TrustFixture fixture;
  for (int revision : {1, 2}) {
    CHECK_OK(fixture.trust->Check(OrderOf("people", revision, revision * 10)));
    CHECK_OK(fixture.trust->RanWell(OrderOf("people", revision, 0)));
  }
  CHECK_OK(fixture.trust->Check(OrderOf("people", 3, 30)));
  CHECK_OK(fixture.trust->RanWell(OrderOf("people", 3, 0)));
  fixture.trust.reset();
  fixture.trust = fixture.Open();
  // Also without its signature: it was trusted. Back and forth as a rollout may want.
  CHECK_OK(fixture.trust->Check(OrderOf("people", 2, 0)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 3, 30)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 2, 20)));
  CHECK(fixture.Verdict(OrderOf("people", 1, 10)) == "PROFILE_DOWNGRADED");
  // It runs well again, so that the next one may go back to it, too.
  CHECK_OK(fixture.trust->RanWell(OrderOf("people", 2, 0)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 4, 40)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 2, 20)));
  CHECK(fixture.Verdict(OrderOf("people", 3, 30)) == "PROFILE_DOWNGRADED");
  fixture.clock.Advance(kWayBack);
  CHECK(fixture.Verdict(OrderOf("people", 2, 20)) == "PROFILE_DOWNGRADED");
  CHECK_OK(fixture.trust->Check(OrderOf("people", 4, 40)));
}

TEST_CASE("a revision that never ran well is no way back") {
  TrustFixture fixture;
  CHECK_OK(fixture.trust->Check(OrderOf("people", 1, 10)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 2, 20)));
  CHECK(fixture.Verdict(OrderOf("people", 1, 10)) == "PROFILE_DOWNGRADED");
  // Nor is what was only said to have run.
  CHECK_OK(fixture.trust->RanWell(OrderOf("people", 1, 10)));
  CHECK_OK(fixture.trust->Check(OrderOf("people", 3, 30)));
  CHECK(fixture.Verdict(OrderOf("people", 1, 10)) == "PROFILE_DOWNGRADED");
}

TEST_CASE("a counter that the disk lost trusts nothing") {
  TrustFixture fixture;
  CHECK_OK(fixture.trust->Check(OrderOf("people", 1, 10)));
  for (const auto& entry : std::filesystem::directory_iterator(fixture.dir.File("trust"))) {
    std::ofstream(entry.path(), std::ios::in | std::ios::out).seekp(70) << "?";
  }
  CHECK(fixture.Verdict(OrderOf("people", 2, 20)) == "KEPT_REVISION_DAMAGED");
}

TEST_CASE("kept revisions stay within their room, the newest among them") {
  testing::TempDir dir;
  auto kept = KeptRevisions::Open(dir.File("good"), 3000);
  REQUIRE_OK(kept);
  for (int i = 0; i < 5; ++i) {
    storage::v1::KeptRevision revision;
    revision.set_profile_id(absl::StrCat("p", i));
    revision.set_content(std::string(1200, 'x'));
    REQUIRE_OK(kept->Put(revision));
  }
  CHECK(kept->Find("p4")->content().size() == 1200);
  int left = 0;
  for (int i = 0; i < 5; ++i) left += kept->Find(absl::StrCat("p", i)).ok() ? 1 : 0;
  CHECK(left == 2);
}

}  // namespace
}  // namespace chartly::drone
