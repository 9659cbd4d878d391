#include "cli/command_fixture_test.h"
#include "cli/json.h"

namespace chartly::cli {
namespace {

constexpr char kSample[] =
    R"({"rows":[{"name":"a","value":9007199254740993},{"name":"b","value":"x"},{"value":1},{"name":"a","value":9007199254740993}]})";

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("profile test with a sample prints records, quarantined rows and a balance that closes") {
  testing::TempDir dir;
  std::string profile = WriteFile(dir.File("p.yaml"), kGoodProfile);
  std::string sample = WriteFile(dir.File("sample.json"), kSample);
  CommandResult result = Chartly({"profile", "test", profile, "--input", sample, "--output", "json"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  std::vector<std::string> lines = Lines(result.out);
  REQUIRE(lines.size() == 5);
  auto first = Json::Parse(lines[0]);
  REQUIRE_OK(first);
  CHECK((*first)["dims"].ToText() == R"({"name":"a"})");
  CHECK((*first)["measures"].ToText() == R"({"value":9007199254740993})");
  CHECK((*first)["id"].text().size() == 32);
  CHECK(lines[1] == lines[0]);
  CHECK(Contains(lines[2], R"("quarantined":{"reason_code":"mapping.)"));
  CHECK(
      lines[4] ==
      R"({"balance":{"fetched":4,"stored":1,"duplicate":1,"filtered":0,"quarantined":2,"in_spool":0,"closed":true}})");
  CommandResult table = Chartly({"profile", "test", profile, "--input", sample});
  CHECK(table.code == 0);
  CHECK(Contains(table.out, "dims.name"));
  CHECK(Contains(table.out, "quarantined 2"));
}

TEST_CASE("profile test fetches like a drone, private addresses only where they are allowed") {
  testing::TempDir dir;
  testing::HttpFixture server;
  testing::FixtureResponse rows;
  rows.body = kSample;
  rows.headers["Content-Type"] = "application/json";
  server.Map("/x", rows);
  std::string text = kGoodProfile;
  text.replace(text.find("https://example.org/x"), 21, server.Url("/x"));
  std::string profile = WriteFile(dir.File("p.yaml"), text);
  CommandResult denied = Chartly({"profile", "test", profile});
  CHECK(denied.code == 1);
  CHECK(Contains(denied.err, "EGRESS_DENIED"));
  CHECK(server.Count() == 0);
  CommandResult allowed = Chartly({"profile", "test", profile, "--egress-allow", "127.0.0.1/32", "--limit", "2"});
  INFO(allowed.err);
  CHECK(allowed.code == 0);
  CHECK(Contains(allowed.out, "fetched 2 ="));
}

TEST_CASE("profile test says what is wrong with a payload, a sample or a profile") {
  testing::TempDir dir;
  std::string profile = WriteFile(dir.File("p.yaml"), kGoodProfile);
  std::string page = WriteFile(dir.File("page.json"), "<html>no</html>");
  CommandResult html = Chartly({"profile", "test", profile, "--input", page, "-o", "json"});
  CHECK(html.code == 1);
  CHECK(Contains(html.err, "PAYLOAD_NOT_JSON"));
  CHECK(Contains(html.out, R"("closed":true)"));
  CHECK(Chartly({"profile", "test", profile, "--input", dir.File("none.json")}).code == 2);
  CHECK(Chartly({"profile", "test", WriteFile(dir.File("bad.yaml"), "id: [")}).code == 2);
}

}  // namespace chartly::cli
