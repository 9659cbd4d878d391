#include "cli/doctor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/command_fixture_test.h"
#include "cli/json.h"
#include "test/support/generated_doc.h"

namespace chartly::cli {
namespace {

std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

// A control plane where all is well, and a folder for a drone.
struct World {
  testing::HttpFixture server;
  testing::TempDir dir;
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> flags;

  World() {
    Answer(absl::ZeroDuration());
    server.Map("/api/auth/caller", {.body = R"({"principal":"admin","can_write":true,"tenant":"default"})"});
    std::filesystem::create_directory(dir.File("data"));
    std::string part = server.Url("").substr(7);
    flags = {{"--output", "json"},          {"--data", dir.File("data")},
             {"--spool-bytes", "1MB"},      {"--id", "d1"},
             {"--coordinator", part},       {"--aggregator", part},
             {"--secrets-dir", dir.path()}, {"--source-dir", dir.path()}};
    variables = {{"CHARTLY_URL", server.Url("")}, {"CHARTLY_KEY", "good key"}};
  }
  // The gateway, whose clock is `ahead` of ours.
  void Answer(absl::Duration ahead) {
    server.Map("/health", {.body = "{}", .headers = {{"Date", HttpDate(absl::Now() + ahead)}}});
  }
  // A profile of a source on the server, or elsewhere, with `more` said of it.
  std::string Profile(const std::string& more = "", std::string url = "") const {
    if (url.empty()) url = server.Url("/x");
    std::string text = kGoodProfile;
    text.replace(text.find("https://example.org/x"), 21, url);
    return text.insert(text.find(", format: json"), more);
  }
  // Makes this the only work of the drone d1.
  void Assign(const std::string& id, const std::string& revision, const std::string& text) {
    std::string name = "profiles/" + id + revision;
    server.Map(
        "/api/drones/d1/work",
        {.body = Json::Object()
                     .Set("assignments",
                          Json::Array().Add(
                              Json::Object().Set("profile_id", Json::Text(id)).Set("revision", Json::Text(name))))
                     .ToText()});
    server.Map("/api/" + name, {.body = Json::Object().Set("content", Json::Text(text)).ToText()});
  }
  CommandResult Run(std::vector<std::string> more = {}) {
    std::vector<std::string> all = {"doctor"};
    for (const auto& [name, value] : flags) all.insert(all.end(), {name, value});
    all.insert(all.end(), more.begin(), more.end());
    return Chartly(all, variables);
  }
  // The codes that were found; checks that the exit code fits them.
  std::set<std::string> Codes(std::vector<std::string> more = {}) {
    CommandResult result = Run(std::move(more));
    auto answer = Json::Parse(result.out);
    REQUIRE_OK(answer);
    std::set<std::string> codes;
    for (const Json& finding : (*answer)["findings"].items()) {
      std::string code = finding["code"].text();
      if (code.empty()) continue;
      CHECK_FALSE(finding["cause"].text().empty());
      CHECK_FALSE(finding["fix"].text().empty());
      codes.insert(code);
    }
    CHECK(result.code == ((*answer)["errors"].integer() > 0 ? kFailed : kOk));
    return codes;
  }
};

using Codes = std::set<std::string>;

// What this machine itself may show, whatever the test does.
Codes Without(Codes codes, const std::string& code) {
  codes.erase(code);
  return codes;
}
Codes Found(World& world, std::vector<std::string> more = {}) {
  return Without(Without(Without(world.Codes(std::move(more)), "DOCTOR_FSYNC_SLOW"), "DOCTOR_FILES_LIMIT_LOW"),
                 "DOCTOR_AUTHORITIES_MISSING");
}

}  // namespace

TEST_CASE("the doctor finds nothing where all is well, and leaves nothing behind") {
  World world;
  CHECK(Found(world).empty());
  CHECK(std::filesystem::is_empty(world.dir.File("data")));
  world.flags["--output"] = "table";
  CommandResult table = world.Run();
  CHECK(table.code == kOk);
  CHECK(Contains(table.out, "credentials"));
  CHECK(Contains(table.out, "is that of admin"));
}

TEST_CASE("the doctor tells what is wrong on the way to the control plane") {
  World world;
  world.variables["CHARTLY_URL"] = "http://no-such-host.invalid:8090";
  CHECK(Found(world) == Codes{"DOCTOR_DNS_FAILED"});
  world.variables["CHARTLY_URL"] = "ftp://127.0.0.1";
  CHECK(Found(world) == Codes{"DOCTOR_ADDRESS_INVALID"});
  std::string gone;
  {
    testing::HttpFixture closed;
    gone = closed.Url("");
  }
  world.variables["CHARTLY_URL"] = gone;
  CHECK(Found(world) == Codes{"DOCTOR_CONTROL_PLANE_UNREACHABLE"});
  world.variables["CHARTLY_URL"] = world.server.Url("");
  world.flags["--aggregator"] = gone.substr(7);
  CHECK(Found(world) == Codes{"DOCTOR_PORT_UNREACHABLE"});
}

TEST_CASE("the doctor takes a drone's command line as it is") {
  World world;
  CHECK(Found(world, {"--label", "a=b", "--label", "c=d", "--capacity", "2", "--admin", "127.0.0.1:1", "--log-level",
                      "warn", "--egress-allow", "10.0.0.0/8"})
            .empty());
  CHECK(Found(world, {"--egress-allow", "10.0.0.0/99"}) == Codes{"DOCTOR_EGRESS_INVALID"});
  CHECK(Found(world, {"--ca-file", "/none.pem"}) == Codes{"DOCTOR_CA_FILE_INVALID"});
}

TEST_CASE("the doctor compares clocks") {
  World world;
  world.Answer(absl::Seconds(20));
  CHECK(Found(world) == Codes{"DOCTOR_CLOCK_DRIFTS"});
  world.Answer(-absl::Hours(1));
  CHECK(Found(world) == Codes{"DOCTOR_CLOCK_WRONG"});
}

TEST_CASE("the doctor tries the key") {
  World world;
  world.server.Map("/api/auth/caller", {.body = R"({"principal":"anonymous","tenant":"default"})"});
  CHECK(Found(world) == Codes{"DOCTOR_KEY_MISSING"});
  world.server.Map("/api/auth/caller", {.body = R"({"principal":"reader","tenant":"default"})"});
  CHECK(Found(world) == Codes{"DOCTOR_KEY_REFUSED"});
  world.server.Map("/api/auth/caller",
                   {.status = 401, .body = R"({"error":{"message":"unknown key","reason":"API_KEY_UNKNOWN"}})"});
  CHECK(Found(world) == Codes{"DOCTOR_KEY_REFUSED"});
  world.variables.erase("CHARTLY_KEY");
  CHECK(Found(world, {"--key-file", world.dir.File("none")}) == Codes{"DOCTOR_KEY_MISSING"});
}

TEST_CASE("the doctor says that proxies are ignored, without their passwords") {
  World world;
  world.variables["https_proxy"] = "http://user:s3cret@proxy:3128";
  CHECK(Found(world) == Codes{"DOCTOR_PROXY_IGNORED"});
  CHECK_FALSE(Contains(world.Run().out, "s3cret"));
}

TEST_CASE("the doctor looks at disk and spool") {
  World world;
  world.flags["--data"] = world.dir.File("none/yet");
  CHECK(Found(world) == Codes{"DOCTOR_DATA_MISSING"});
  CHECK_FALSE(std::filesystem::exists(world.dir.File("none")));
  world.flags["--data"] = WriteFile(world.dir.File("file"), "x");
  CHECK(Found(world) == Codes{"DOCTOR_DATA_UNUSABLE"});
  world.flags["--data"] = world.dir.File("data");
  world.flags["--spool-bytes"] = "4000TB";
  CHECK(Found(world) == Codes{"DOCTOR_DISK_LOW"});
  world.flags["--spool-bytes"] = "1MB";
  std::filesystem::create_directories(world.dir.File("data/spool/runs"));
  WriteFile(world.dir.File("data/spool/runs/0.run.damaged"), "x");
  CHECK(Found(world) == Codes{"DOCTOR_SPOOL_DAMAGED"});
  std::string lock = WriteFile(world.dir.File("data/spool/LOCK"), "");
  CHECK(Contains(world.Run().out, "no drone works on it"));
  int fd = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(fd, LOCK_EX) == 0);
  CHECK(Contains(world.Run().out, ", a drone works on it"));
  ::close(fd);
}

TEST_CASE("the doctor looks at the profiles that are assigned to the drone") {
  World world;
  CHECK(Contains(world.Run().out, "has not registered yet"));
  world.Assign("p", "@sha256:1", world.Profile("", "http://no-such-host.invalid/x"));
  world.server.Map("/api/drones/other/work", {.body = "{}"});
  world.flags["--id"] = "other";
  CHECK(Found(world).empty());
  world.flags["--id"] = "d1";
  CHECK(Found(world) == Codes{"DOCTOR_DNS_FAILED"});
  world.Assign("p", "@sha256:2", world.Profile());
  CHECK(Found(world) == Codes{"DOCTOR_EGRESS_DENIED"});
  CHECK(Found(world, {"--egress-allow", "127.0.0.1"}).empty());
  CHECK(world.server.Count("/x") == 0);
  world.Assign("p", "@sha256:3", world.Profile(", auth: {type: bearer, secretRef: {name: api, key: token}}"));
  CHECK(Found(world, {"--egress-allow", "127.0.0.1"}) == Codes{"DOCTOR_SECRET_MISSING"});
  world.Assign("p", "@sha256:4", "id: 1\n");
  CHECK(Found(world) == Codes{"DOCTOR_PROFILE_INVALID"});
}

TEST_CASE("the doctor compares profiles with what the owner of the host allows") {
  World world;
  const std::string file = world.dir.File("consent.yaml");
  world.flags["--consent"] = file;
  CHECK(Found(world) == Codes{"DOCTOR_CONSENT_INVALID"});
  WriteFile(file, "hosts: [1:2]\n");
  CHECK(Found(world) == Codes{"DOCTOR_CONSENT_INVALID"});
  WriteFile(file, "egress: [10.0.0.0/99]\n");
  CHECK(Found(world) == Codes{"DOCTOR_CONSENT_INVALID"});
  WriteFile(file, "hosts: [example.gov]\n");
  CHECK(Found(world).empty());
  const std::string profile = WriteFile(world.dir.File("p.yaml"), world.Profile());
  world.server.Map("/x", {.body = R"({"rows":[{"name":"a","value":1}]})"});
  const std::vector<std::string> local = {"--profile", profile, "--egress-allow", "127.0.0.1"};
  CHECK(Found(world, local) == Codes{"DOCTOR_CONSENT_DENIED"});
  world.Assign("p", "@sha256:1", world.Profile());
  CHECK(Found(world, {"--egress-allow", "127.0.0.1"}) == Codes{"DOCTOR_CONSENT_DENIED"});
  CHECK(world.server.Count("/x") == 0);
  WriteFile(file, "hosts: [127.0.0.1]\n");
  CHECK(Found(world, local).empty());
  CHECK(world.server.Count("/x") == 1);
  WriteFile(file, "egress: [10.0.0.0/8]\n");
  CHECK(Found(world, {"--egress-allow", "127.0.0.1"}) == Codes{"DOCTOR_EGRESS_DENIED"});
  CHECK(Found(world, local) == Codes{"DOCTOR_EGRESS_DENIED", "DOCTOR_MAPPING_FAILED"});
  world.flags.erase("--consent");
  world.variables["CHARTLY_CONSENT"] = world.dir.File("none.yaml");
  CHECK(Found(world) == Codes{"DOCTOR_CONSENT_INVALID"});
}

TEST_CASE("the help of the doctor ends as that of every command does") {
  std::string help = Chartly({"doctor", "--help"}).out;
  CHECK(Contains(help, "--profile"));
  CHECK_FALSE(Contains(help, "--capacity"));
  CHECK_FALSE(Contains(help, "\n\n\n"));
}

TEST_CASE("the doctor tries the first page of a profile") {
  World world;
  std::string profile = WriteFile(world.dir.File("p.yaml"), world.Profile());
  const std::vector<std::string> local = {"--profile", profile, "--egress-allow", "127.0.0.1"};
  world.server.Map("/x", {.body = R"({"rows":[{"name":"a","value":1}]})"});
  CHECK(Found(world, local).empty());
  CHECK(Found(world, {"--profile", profile}) == Codes{"DOCTOR_MAPPING_FAILED"});
  world.variables["CHARTLY_EGRESS_ALLOW"] = "10.0.0.0/8, 127.0.0.1";
  CHECK(Found(world, {"--profile", profile}).empty());
  world.server.Map("/x", {.body = R"({"rows":[{"name":"a","value":1},{"value":2}]})"});
  CHECK(Found(world, local) == Codes{"DOCTOR_ROWS_QUARANTINED"});
  world.server.Map("/x", {.body = R"({"rows":[]})"});
  CHECK(Found(world, local) == Codes{"DOCTOR_NO_RECORDS"});
  WriteFile(profile, "id: 1\n");
  CHECK(Found(world, local) == Codes{"DOCTOR_PROFILE_INVALID"});
  CHECK(Found(world, {"--profile", world.dir.File("none.yaml")}) == Codes{"DOCTOR_PROFILE_INVALID"});
}

TEST_CASE("the doctor looks for the secrets of a profile and never shows one") {
  World world;
  std::string profile =
      WriteFile(world.dir.File("p.yaml"), world.Profile(", auth: {type: bearer, secretRef: {name: api, key: token}}"));
  world.server.Map("/x", {.body = R"({"rows":[{"name":"a","value":1}]})"});
  const std::vector<std::string> local = {"--profile", profile, "--egress-allow", "127.0.0.1"};
  CHECK(Found(world, local) == Codes{"DOCTOR_SECRET_MISSING"});
  std::filesystem::create_directory(world.dir.File("api"));
  std::string secret = WriteFile(world.dir.File("api/token"), "s3cret");
  REQUIRE(::chmod(secret.c_str(), 0644) == 0);
  CHECK(Found(world, local) == Codes{"DOCTOR_SECRET_EXPOSED"});
  CHECK(world.server.Count("/x") == 0);
  REQUIRE(::chmod(secret.c_str(), 0600) == 0);
  CommandResult result = world.Run(local);
  CHECK(Contains(result.out, "the secret is there"));
  CHECK_FALSE(Contains(result.out, "s3cret"));
  world.flags.erase("--secrets-dir");
  CHECK(Found(world, local) == Codes{"DOCTOR_SECRET_MISSING"});
  world.variables["CHARTLY_SECRETS_DIR"] = world.dir.path();
  CHECK(Found(world, local).empty());
}

TEST_CASE("docs/doctor.md shows every code, and each has one meaning") {
  std::set<std::string> codes;
  for (const DoctorCode& code : DoctorCodes()) CHECK(codes.insert(code.code).second);
  testing::CheckGeneratedDoc("docs/doctor.md", DoctorDocument());
}

}  // namespace chartly::cli
