#include "common/profile/consent.h"

#include "absl/strings/match.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

Consent ConsentOf(const std::string& yaml) {
  auto consent = ParseConsent("consent.yaml", yaml);
  REQUIRE_OK(consent);
  return *std::move(consent);
}

std::string Fault(const std::string& yaml) {
  auto consent = ParseConsent("consent.yaml", yaml);
  REQUIRE_FALSE(consent.ok());
  CHECK(Reason(consent.status()) == "CONSENT_INVALID");
  return std::string(consent.status().message());
}

Profile Http(const std::string& url) {
  Profile profile;
  profile.source.url = url;
  return profile;
}

Profile File(const std::string& path) {
  Profile profile;
  profile.source.type = SourceType::kFile;
  profile.source.path = path;
  return profile;
}

bool Allows(const std::string& yaml, const Profile& profile) {
  absl::Status status = CheckConsent(ConsentOf(yaml), profile);
  CHECK((status.ok() || Reason(status) == "CONSENT_DENIED"));
  return status.ok();
}

TEST_CASE("a consent file is read whole") {
  Consent consent = ConsentOf(
      "hosts: [API.example.gov, '*.census.gov']\npaths: [in, reports/2024]\negress: [10.1.0.0/16]\n"
      "max_bytes: 1MiB\nrate: 10/s\ncpu: 0.5\nmemory: 96MiB\n");
  CHECK(*consent.hosts == std::vector<std::string>{"api.example.gov", "*.census.gov"});
  CHECK(*consent.paths == std::vector<std::string>{"in", "reports/2024"});
  CHECK(*consent.egress == std::vector<std::string>{"10.1.0.0/16"});
  CHECK(consent.max_bytes == 1 << 20);
  CHECK(consent.rate == 10);
  CHECK(consent.cpu == 0.5);
  CHECK(consent.memory_bytes == 96 << 20);
}

TEST_CASE("faults of a consent file are told with their place") {
  CHECK(absl::StartsWith(Fault("hosts: [a.gov]\npath: [in]\n"), "consent.yaml:2:1: path: "));
  CHECK(absl::StrContains(Fault("path: [in]\n"), "paths"));
  CHECK(absl::StrContains(Fault("hosts: ['http://a.gov']\n"), "without scheme"));
  CHECK(absl::StrContains(Fault("hosts: ['a.*.gov']\n"), "without scheme"));
  CHECK(absl::StrContains(Fault("paths: ['in/*.csv']\n"), "without *"));
  CHECK(absl::StrContains(Fault("cpu: 0\n"), "above 0"));
  CHECK(absl::StrContains(Fault("memory: much\n"), "memory"));
  CHECK_FALSE(Fault("").empty());
}

TEST_CASE("what is not in the consent is not limited") {
  CHECK(Allows("cpu: 1\n", Http("https://any.gov/x")));
  CHECK(Allows("cpu: 1\n", File("any.csv")));
}

TEST_CASE("a profile reaches only hosts that the consent names, on every way there is") {
  const std::string yaml = "hosts: [api.example.gov, '*.census.gov']\n";
  CHECK(Allows(yaml, Http("https://api.example.gov/x")));
  CHECK(Allows(yaml, Http("https://API.example.gov:8443/x")));
  CHECK(Allows(yaml, Http("https://www.census.gov/x")));
  CHECK(Allows(yaml, Http("https://a.b.census.gov/x")));
  CHECK_FALSE(Allows(yaml, Http("https://census.gov/x")));
  CHECK_FALSE(Allows(yaml, Http("https://evilcensus.gov/x")));
  CHECK_FALSE(Allows(yaml, Http("https://api.example.gov.evil.com/x")));
  CHECK_FALSE(Allows(yaml, Http("https://10.0.0.1/x")));
  CHECK_FALSE(Allows("hosts: []\n", Http("https://api.example.gov/x")));

  Profile redirected = Http("https://api.example.gov/x");
  redirected.source.egress_allow = {"api.example.gov", "evil.com"};
  CHECK_FALSE(Allows(yaml, redirected));
  Profile token = Http("https://api.example.gov/x");
  token.source.auth.type = AuthType::kOauth2;
  token.source.auth.token_url = "https://evil.com/token";
  CHECK_FALSE(Allows(yaml, token));
  token.source.auth.token_url = "https://login.census.gov/token";
  CHECK(Allows(yaml, token));
  Profile database;
  database.source.type = SourceType::kPostgres;
  database.source.postgres.host = "db.evil.com";
  CHECK_FALSE(Allows(yaml, database));
  database.source.postgres.host = "db.census.gov";
  CHECK(Allows(yaml, database));
}

TEST_CASE("a profile reads only files that the consent names") {
  const std::string yaml = "paths: [in, reports/2024/, x/../one.csv]\n";
  for (const char* path : {"in/a.csv", "in/*.csv", "./in/b/c.csv", "reports/2024/x.zip/*.csv", "one.csv"}) {
    INFO(path);
    CHECK(Allows(yaml, File(path)));
  }
  for (const char* path : {"inner/a.csv", "*/a.csv", "i?/a.csv", "in/../b.csv", "../in/a.csv", "/in/a.csv",
                           "reports/a.csv", "one.csv2", "reports/2024.csv"}) {
    INFO(path);
    CHECK_FALSE(Allows(yaml, File(path)));
  }
  CHECK(Allows("paths: [.]\n", File("a/b.csv")));
  CHECK_FALSE(Allows("paths: [.]\n", File("../b.csv")));
  CHECK_FALSE(Allows("paths: [.]\n", File("/etc/passwd")));
  CHECK_FALSE(Allows("paths: []\n", File("a.csv")));
}

TEST_CASE("a profile takes no more bytes than the consent allows") {
  Profile profile = Http("https://a.gov/x");
  profile.limits.max_bytes = 1 << 20;
  CHECK(Allows("max_bytes: 1MiB\n", profile));
  profile.limits.max_bytes += 1;
  CHECK_FALSE(Allows("max_bytes: 1MiB\n", profile));
}

}  // namespace
}  // namespace chartly
