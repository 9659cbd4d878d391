#include <sys/stat.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "cli/command_fixture_test.h"
#include "common/status/status.h"
#include "common/x509/authority.h"
#include "common/x509/certificate.h"

namespace chartly::cli {
namespace {

std::string JsonText(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
  return quoted + "\"";
}

// A control plane that enrols whoever asks, with an authority of its own.
struct Enroller {
  testing::TempDir dir;
  testing::HttpFixture server;
  std::string authority;
  std::string fingerprint;

  Enroller() {
    auto made = x509::Authority::LoadOrCreate(dir.path(), absl::Now());
    REQUIRE_OK(made);
    authority = made->certificate();
    fingerprint = *x509::FingerprintOf(authority);
    x509::CertificateTerms terms;
    terms.uri = "spiffe://chartly/drone/d1/e1";
    terms.not_before = absl::Now();
    terms.not_after = absl::Now() + absl::Hours(24);
    auto certificate = made->Sign(*x509::MakeRequest(*x509::MakePrivateKey()), terms);
    REQUIRE_OK(certificate);
    server.Map("/api/drones:enroll",
               {.body = "{\"certificate\":" + JsonText(*certificate) + ",\"authority\":" + JsonText(authority) + "}",
                .headers = {{"Content-Type", "application/json"}}});
  }
  CommandResult Join(const std::string& token) {
    return Chartly({"drone", "join", "d1", "--identity-dir", dir.File("identity"), "--url", server.Url("")},
                   {{"CHARTLY_JOIN_TOKEN", token}});
  }
};

}  // namespace

TEST_CASE("a drone that joined has its identity for itself alone, and joins no second time") {
  Enroller enroller;
  CommandResult joined = enroller.Join("chj_0_0_" + enroller.fingerprint);
  INFO(joined.err);
  CHECK(joined.code == 0);
  struct stat info;
  REQUIRE(::stat(enroller.dir.File("identity/identity.pem").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const testing::FixtureRequest post = enroller.server.requests().back();
  CHECK(Contains(post.body, "CERTIFICATE REQUEST"));
  CHECK_FALSE(Contains(post.body, "PRIVATE KEY"));
  CHECK(enroller.Join("chj_0_0_" + enroller.fingerprint).code == 0);
  CHECK(enroller.server.requests().size() == 1);
}

TEST_CASE("a drone trusts no control plane but the one that made its token") {
  Enroller enroller;
  CommandResult joined = enroller.Join("chj_0_0_" + std::string(64, '0'));
  CHECK(joined.code == 4);
  CHECK(Contains(joined.err, "AUTHORITY_MISMATCH"));
  CHECK_FALSE(std::filesystem::exists(enroller.dir.File("identity/identity.pem")));
}

TEST_CASE("a drone whose identity is of another control plane than its token joins again") {
  Enroller before;
  REQUIRE(before.Join("chj_0_0_" + before.fingerprint).code == 0);
  const std::string folder = before.dir.File("identity");
  Enroller now;
  const std::string token = "chj_0_0_" + now.fingerprint;
  CommandResult joined = Chartly({"drone", "join", "d1", "--identity-dir", folder, "--url", now.server.Url("")},
                                 {{"CHARTLY_JOIN_TOKEN", token}});
  INFO(joined.err);
  CHECK(joined.code == 0);
  CHECK(now.server.requests().size() == 1);
  joined = Chartly({"drone", "join", "d1", "--identity-dir", folder, "--url", now.server.Url("")},
                   {{"CHARTLY_JOIN_TOKEN", token}});
  CHECK(Contains(joined.err, "has joined already"));
  CHECK(now.server.requests().size() == 1);
}

TEST_CASE("a drone that has joined needs no token any more, and one that has not needs it") {
  Enroller enroller;
  const std::vector<std::string> join = {"drone",
                                         "join",
                                         "d1",
                                         "--url",
                                         enroller.server.Url(""),
                                         "--identity-dir",
                                         enroller.dir.File("identity"),
                                         "--token-file",
                                         enroller.dir.File("gone")};
  CommandResult without = Chartly(join);
  CHECK(without.code == 2);
  CHECK(Contains(without.err, "TOKEN_FILE_UNREADABLE"));
  CHECK(enroller.server.requests().empty());
  REQUIRE(enroller.Join("chj_0_0_" + enroller.fingerprint).code == 0);
  CHECK(Chartly(join).code == 0);
}

}  // namespace chartly::cli
