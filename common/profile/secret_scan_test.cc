#include "common/profile/secret_scan.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly {
namespace {

// Put together here, so that no scanner of anyone takes this file for a leak.
std::string Join(const std::string& prefix, const std::string& rest) { return prefix + rest; }
const std::string kRandom = "Zx9Kq2Lm7Vt4Rw8Bn3Hd6Fy1Gc5Js0Pa";
const std::string kHex = "9f86d081884c7d659a2feaa0c55ad015";

std::vector<std::string> Secrets() {
  return {Join("AKIA", "Z7QW3ERT5YUI9OPA"),
          Join("ghp_", kRandom + "Ab12Cd"),
          Join("glpat-", kRandom),
          Join("xoxb-", "2145678901-" + kRandom),
          Join("AIza", kRandom + "Abc"),
          Join("sk_live_", kRandom),
          Join("npm_", kRandom + "Ab12Cd"),
          Join("chk_", kHex + kHex),
          Join("whsec_", kRandom),
          Join("eyJhbGciOiJIUzI1", "NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN"),
          Join("-----BEGIN PRIVATE", " KEY-----"),
          Join("https://user:", "hunter2hunter2@example.org/"),
          Join("Bearer ", kRandom)};
}

}  // namespace

TEST_CASE("keys of known shape are found wherever they stand, and never shown") {
  for (const std::string& secret : Secrets()) {
    INFO(secret);
    CHECK_FALSE(SecretShape(secret).empty());
    CHECK_FALSE(SecretShape(absl::StrCat("before ", secret, " after")).empty());
    for (const std::string& yaml :
         {absl::StrCat("description: \"see ", secret, "\"\n"), absl::StrCat("a:\n  - b: '", secret, "'\n"),
          absl::StrCat("'", secret, "': 1\n"), absl::StrCat("a: 1  # ", secret, "\n"),
          absl::StrCat("a: |\n  first\n  ", secret, "\n"), absl::StrCat("not: [yaml\n", secret, "\n")}) {
      const std::vector<ProfileFault> faults = FindSecrets(yaml);
      REQUIRE(faults.size() == 1);
      CHECK(faults[0].reason == "PROFILE_SECRET_REFUSED");
      CHECK(faults[0].line >= 1);
      CHECK(FormatFaults("f", faults).find(secret) == std::string::npos);
    }
  }
}

TEST_CASE("the fault has the field's name and says what to write") {
  const std::vector<ProfileFault> faults =
      FindSecrets(absl::StrCat("source:\n  headers:\n    X-Access-Token: ", kRandom, "\n"));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].path == "source.headers.X-Access-Token");
  CHECK(faults[0].line == 3);
  CHECK(faults[0].message.find("secretRef: {name: NAME, key: KEY}") != std::string::npos);
}

TEST_CASE("what looks random is a secret only in a field that is named like one") {
  for (const char* field : {"token", "api_key", "X-Auth-Token", "clientSecret", "db_password", "subscription-key"}) {
    CHECK(LooksLikeCredential(field, kRandom));
    CHECK(LooksLikeCredential(field, kHex));
    CHECK_FALSE(LooksLikeCredential(field, "NAME"));
    CHECK_FALSE(LooksLikeCredential(field, "the-token-of-the-portal"));
    CHECK_FALSE(LooksLikeCredential(field, "2024"));
  }
  CHECK_FALSE(LooksLikeCredential("series_id", "LNS14000000LNS14000001"));
  CHECK_FALSE(LooksLikeCredential("sha256", kHex));
}

TEST_CASE("keys in the query of an address are found by the name of the parameter") {
  const std::string base = "source: {url: 'https://api.example.gov/v1/data?series=LNS14000000A1B2C3D4&";
  CHECK(FindSecrets(base + "year=2024'}\n").empty());
  CHECK(FindSecrets(base + "appid=" + kHex + "'}\n").size() == 1);
  CHECK(FindSecrets(base + "key=" + kHex + "'}\n").size() == 1);
  CHECK(FindSecrets(base + "key=value'}\n").empty());
}

TEST_CASE("no profile that comes with the project is taken for a secret") {
  int seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(CHARTLY_SOURCE_DIR "/profiles")) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    INFO(entry.path().string());
    CHECK(FormatFaults("f", FindSecrets(text)).empty());
    ++seen;
  }
  CHECK(seen > 5);
}

}  // namespace chartly
