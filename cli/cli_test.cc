#include "cli/cli.h"

#include <filesystem>

#include "cli/command_fixture_test.h"
#include "cli/progress.h"
#include "common/profile/profile_parser.h"

namespace chartly::cli {
namespace {

testing::FixtureResponse JsonAnswer(const std::string& body, int status = 200) {
  testing::FixtureResponse response;
  response.status = status;
  response.body = body;
  response.headers["Content-Type"] = "application/json";
  return response;
}

std::string ErrorBody(const std::string& code, const std::string& message, const std::string& reason) {
  return R"({"error":{"code":")" + code + R"(","message":")" + message + R"(","reason":")" + reason +
         R"(","request_id":"r1","details":{}}})";
}

}  // namespace

TEST_CASE("help names every noun and verb and exits with 0") {
  CommandResult help = Chartly({"--help"});
  CHECK(help.code == 0);
  for (const char* noun : {"profile", "run", "records", "quarantine", "report", "drone", "status", "audit", "backup",
                           "store", "deployment", "CHARTLY_URL", "CHARTLY_KEY_FILE", "Exit codes"}) {
    INFO(noun);
    CHECK(Contains(help.out, noun));
  }
  CommandResult profile = Chartly({"profile", "--help"});
  for (const char* verb : {"validate", "test", "apply", "list", "get", "diff", "pause", "resume", "delete", "plan",
                           "promote", "rollback", "channels", "history", "keygen", "sign", "export", "sync"}) {
    INFO(verb);
    CHECK(Contains(profile.out, verb));
  }
  CHECK(Chartly({"--version"}).out == "chartly 0.1.0\n");
}

TEST_CASE("wrong usage exits with 2 and says what is wrong") {
  auto arguments = GENERATE(
      std::vector<std::string>{}, std::vector<std::string>{"profile"}, std::vector<std::string>{"profile", "validate"},
      std::vector<std::string>{"nonsense"}, std::vector<std::string>{"profile", "apply", "--allow-breaking"},
      std::vector<std::string>{"profile", "apply", "a.yaml", "--plan", "0"},
      std::vector<std::string>{"profile", "rollback", "people"},
      std::vector<std::string>{"profile", "promote", "people", "--to", "dev"},
      std::vector<std::string>{"run", "list", "--output", "xml"},
      std::vector<std::string>{"run", "list", "--limit", "-1"},
      std::vector<std::string>{"report", "run", "--join", "a"}, std::vector<std::string>{"--url", "ftp://x", "status"},
      std::vector<std::string>{"--key-file", "/nonexistent", "status"},
      std::vector<std::string>{"profile", "validate", "/nonexistent.yaml"},
      std::vector<std::string>{"report", "run", "--join", "a", "--input", "no-measure"},
      std::vector<std::string>{"report", "run", "--input", "a:x", "--input", "b:y", "--on", "k=l"},
      std::vector<std::string>{"report", "run", "--input", "a:x", "--file", "/nonexistent"});
  CommandResult result = Chartly(arguments);
  INFO(result.err);
  CHECK(result.code == 2);
  CHECK_FALSE(result.err.empty());
}

TEST_CASE("validate reports all faults of all files with lines, and exits with 2") {
  testing::TempDir dir;
  std::string good = WriteFile(dir.File("good.yaml"), kGoodProfile);
  std::string bad =
      WriteFile(dir.File("bad.yaml"),
                "id: x\nname: X\nversion: not-a-version\nsource:\n  type: http_rest\n  url: https://e.org/d\n"
                "shedule: {interval: 1h}\nmapping:\n  a: dims.a\n  b: {to: measures.b, type: number}\n");
  CommandResult result = Chartly({"profile", "validate", good, bad});
  CHECK(result.code == 2);
  CHECK(Contains(result.out, good + ": ok, profile people 1.0.0"));
  for (const char* place : {":3:", ":7:", ":10:"}) CHECK(Contains(result.err, bad + place));
  CHECK(Contains(result.err, "schedule"));
  CHECK(Contains(result.err, "PROFILE_INVALID"));
  CommandResult json = Chartly({"profile", "validate", bad, "--output", "json"});
  CHECK(json.code == 2);
  CHECK(Contains(json.out, R"("valid":false)"));
  CHECK(Contains(json.out, R"("line":7)"));
  CHECK(Chartly({"profile", "validate", good}).code == 0);
}

TEST_CASE("a server that does not answer exits with 3 and is named") {
  CommandResult result = Chartly({"status"}, {{"CHARTLY_URL", "http://127.0.0.1:1"}});
  CHECK(result.code == 3);
  CHECK(Contains(result.err, "127.0.0.1:1"));
  CHECK(result.out.empty());
}

TEST_CASE("errors of the server print their message and reason, each kind with its exit code") {
  testing::HttpFixture server;
  struct Case {
    int status;
    int exit_code;
  };
  Case expected = GENERATE(Case{400, 2}, Case{401, 4}, Case{403, 4}, Case{404, 1}, Case{409, 1}, Case{412, 1},
                           Case{500, 1}, Case{503, 3});
  server.Map("/api/runs/x", JsonAnswer(ErrorBody("SOME", "what went wrong", "SOME_REASON"), expected.status));
  CommandResult result = Chartly({"run", "get", "x"}, {{"CHARTLY_URL", server.Url("")}});
  CHECK(result.code == expected.exit_code);
  CHECK(Contains(result.err, "what went wrong"));
  CHECK(Contains(result.err, "[SOME_REASON]"));
  CHECK(Contains(result.err, "request r1") == (expected.status >= 500));
}

TEST_CASE("an answer that is not JSON is named as such") {
  testing::HttpFixture server;
  testing::FixtureResponse page;
  page.body = "<html>hello</html>";
  server.Map("/api/status", page);
  CommandResult result = Chartly({"status", "--url", server.Url("/")});
  CHECK(result.code == 1);
  CHECK(Contains(result.err, "is it a control plane?"));
}

TEST_CASE("the key comes from the variable, the named file, or the data folder") {
  testing::TempDir dir;
  testing::HttpFixture server;
  server.Map("/api/drones", JsonAnswer(R"({"drones":[]})"));
  std::string file = WriteFile(dir.File("key"), "from-file\n");
  WriteFile(dir.File("admin.key"), "from-data\n");
  auto sent = [&](std::map<std::string, std::string> variables, std::vector<std::string> more = {}) {
    variables["CHARTLY_URL"] = server.Url("");
    std::vector<std::string> arguments = {"drone", "list"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    CHECK(Chartly(arguments, variables).code == 0);
    return server.requests().back().headers["x-api-key"];
  };
  CHECK(sent({{"CHARTLY_DATA", dir.path()}}) == "from-data");
  CHECK(sent({{"CHARTLY_DATA", dir.path()}, {"CHARTLY_KEY_FILE", file}}) == "from-file");
  CHECK(sent({{"CHARTLY_KEY", "plain"}, {"CHARTLY_KEY_FILE", file}}) == "plain");
  CHECK(sent({{"CHARTLY_KEY", "plain"}}, {"--key-file", file}) == "from-file");
  CHECK(sent({{"CHARTLY_DATA", "/nonexistent"}}) == "");
}

TEST_CASE("records print with every digit, as JSON and as a table") {
  testing::HttpFixture server;
  server.Map("/api/records", JsonAnswer(R"({"records":[{"id":"0a","dims":{"year":2014,"geo.name":"Chad"},)"
                                        R"("measures":{"population":9007199254740993,"rate":12.50},"attrs":{}}]})"));
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  CommandResult json =
      Chartly({"records", "query", "p", "--filter", "dims.year >= 2000", "--filter", "a < 1", "--output", "json"}, url);
  CHECK(json.code == 0);
  CHECK(Contains(json.out, R"("population":9007199254740993,"rate":12.50)"));
  CHECK(server.requests().back().target ==
        "/api/records?profile_id=p&filter=dims.year%20%3E%3D%202000&filter=a%20%3C%201&limit=50");
  Chartly({"records", "query", "p", "--as-of", "2026-01-31T09:00:00Z"}, url);
  CHECK(server.requests().back().target == "/api/records?profile_id=p&as_of=2026-01-31T09%3A00%3A00Z&limit=50");
  CommandResult table = Chartly({"records", "query", "p"}, url);
  CHECK(table.out ==
        "dims.geo.name  dims.year  measures.population  measures.rate\n"
        "Chad                2014     9007199254740993          12.50\n");
}

TEST_CASE("lists follow pages up to the limit and say that there is more") {
  testing::HttpFixture server;
  server.Map("/api/runs?page_size=2",
             JsonAnswer(R"({"runs":[{"run_id":"a"},{"run_id":"b"}],"next_page_token":"t/1"})"));
  server.Map("/api/runs?page_size=3",
             JsonAnswer(R"({"runs":[{"run_id":"a"},{"run_id":"b"}],"next_page_token":"t/1"})"));
  server.Map("/api/runs?page_size=3&page_token=t%2F1", JsonAnswer(R"({"runs":[{"run_id":"c"},{"run_id":"d"}]})"));
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  CommandResult three = Chartly({"run", "list", "--limit", "3", "-o", "json"}, url);
  CHECK(three.out == "{\"runs\":[{\"run_id\":\"a\"},{\"run_id\":\"b\"},{\"run_id\":\"c\"}]}\n");
  CHECK(Contains(three.err, "there are more"));
  CommandResult two = Chartly({"run", "list", "--limit", "2", "-o", "json"}, url);
  CHECK(two.out == "{\"runs\":[{\"run_id\":\"a\"},{\"run_id\":\"b\"}]}\n");
  CHECK(Contains(two.err, "there are more"));
}

TEST_CASE(
    "apply creates what is new, updates what changed, leaves the rest, and applies nothing if a file has faults") {
  testing::TempDir dir;
  testing::HttpFixture server;
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}, {"CHARTLY_KEY", "k"}};
  std::string file = WriteFile(dir.File("people.yaml"), kGoodProfile);
  server.Map("/api/profiles/people", JsonAnswer(ErrorBody("NOT_FOUND", "no profile", "PROFILE_NOT_FOUND"), 404));
  server.Map("/api/profiles", JsonAnswer(R"({"id":"people","version":"1.0.0"})"));
  CommandResult created = Chartly({"profile", "apply", file}, url);
  CHECK(created.code == 0);
  CHECK(Contains(created.out, "created"));
  testing::FixtureRequest post = server.requests().back();
  CHECK(post.method == "POST");
  CHECK(post.body == kGoodProfile);
  CHECK(post.headers["content-type"] == "application/yaml");
  CHECK(Contains(post.target, "filename="));

  server.Map("/api/profiles/people", JsonAnswer(R"({"id":"people","revision":"sha256:other"})"));
  CHECK(Contains(Chartly({"profile", "apply", file}, url).out, "updated"));
  CHECK(server.requests().back().method == "PUT");

  server.Map("/api/profiles/people", JsonAnswer(R"({"id":"people","revision":")" + ContentHash(kGoodProfile) + "\"}"));
  CHECK(Contains(Chartly({"profile", "apply", file}, url).out, "unchanged"));
  CHECK(server.requests().back().method == "GET");

  int before = server.Count();
  std::string bad = WriteFile(dir.File("bad.yaml"), "id: x\n");
  CommandResult refused = Chartly({"profile", "apply", file, bad}, url);
  CHECK(refused.code == 2);
  CHECK(Contains(refused.err, bad));
  CHECK(server.Count() == before);
}

TEST_CASE("start --wait follows the run to its end and exits with 1 if it failed") {
  testing::HttpFixture server;
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  server.Map("/api/profiles/p:runNow", JsonAnswer(R"({"run_id":"r1","profile_id":"p","status":"scheduled"})"));
  std::string running = R"({"run_id":"r1","profile_id":"p","status":"running","balance":{"fetched":3}})";
  server.Script(
      "/api/runs/r1",
      {JsonAnswer(running), JsonAnswer(running),
       JsonAnswer(R"({"run_id":"r1","status":"failed","error":"no answer","error_reason":"SOURCE_TIMEOUT"})")});
  CommandResult failed = Chartly({"run", "start", "p", "--wait"}, url);
  CHECK(failed.code == 1);
  CHECK(Contains(failed.err, "running, 3 rows fetched"));
  CHECK(Contains(failed.err, "[SOURCE_TIMEOUT]"));
  server.Map("/api/runs/r1", JsonAnswer(R"({"run_id":"r1","status":"partial","balance":{"fetched":5,"stored":3,)"
                                        R"("quarantined":2,"closed":true}})"));
  CommandResult partial = Chartly({"run", "start", "p", "--wait"}, url);
  CHECK(partial.code == 0);
  CHECK(Contains(partial.out, "fetched 5 = stored 3 + duplicate 0 + filtered 0 + quarantined 2 + in spool 0 (closed)"));
  CHECK(Chartly({"run", "start", "p"}, url).code == 0);
}

TEST_CASE("watch prints runs from the event stream") {
  testing::HttpFixture server;
  testing::FixtureResponse events;
  events.headers["Content-Type"] = "text/event-stream";
  events.body =
      ": hello\n\nid: 1\ndata: {\"id\":\"1\",\"run\":{\"run_id\":\"r1\",\"status\":\"running\"}}\n\n"
      "data: {\"id\":\"2\",\"drone\":{\"drone_id\":\"d\"}}\n\n"
      "data: {\"id\":\"3\",\"run\":{\"run_id\":\"r1\",\"status\":\"succeeded\"}}\r\n\n";
  server.Map("/api/events", events);
  CommandResult result = Chartly({"run", "watch", "--output", "json"}, {{"CHARTLY_URL", server.Url("")}});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(result.out ==
        "{\"id\":\"1\",\"run\":{\"run_id\":\"r1\",\"status\":\"running\"}}\n"
        "{\"id\":\"3\",\"run\":{\"run_id\":\"r1\",\"status\":\"succeeded\"}}\n");
}

TEST_CASE("a report asks for its sides with their filters and prints coefficients as they came") {
  testing::HttpFixture server;
  server.Map("/api/reports", JsonAnswer(R"({"n":218,"correlations":[{"x":"x","y":"y","n":218,)"
                                        R"("pearson":{"value":0.734391684,"p_value":1e-30},"spearman":{}}],)"
                                        R"("regression":{"x":"x","y":"y","slope":2,"intercept":1,"r_squared":0.5},)"
                                        R"("sides":[{"profile_id":"a","records":5,)"
                                        R"("unmatched":2,"unmatched_examples":["X","Y"]}],"warnings":["few"]})"));
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  CommandResult result =
      Chartly({"report", "run", "--join", "geo.id", "--join", "time.year", "--input", "a:x", "--input", "b:y",
               "--filter", "dims.y = 1", "--filter", "b:len(n) > 2", "--type", "correlation"},
              url);
  CHECK(result.code == 0);
  CHECK(server.requests().back().body ==
        R"({"join":["geo.id","time.year"],"inputs":[{"profile_id":"a","measure":"x","filter":["dims.y = 1"]},)"
        R"({"profile_id":"b","measure":"y","filter":["dims.y = 1","len(n) > 2"]}],"window":{"limit":1000},)"
        R"("output":{"type":"correlation","method":"pearson"}})");
  CHECK(Contains(result.out, "x and y, 218 pairs"));
  CHECK(Contains(result.out, "pearson      0.734391684              1e-30"));
  CHECK(Contains(result.out, "spearman     undefined"));
  CHECK(Contains(result.out, "line: y = 1 + 2 * x, R2 0.5"));
  CHECK(Contains(result.out, "X; Y"));
  CHECK(Contains(result.err, "warning: few"));
}

TEST_CASE("a report of many measures prints a matrix, and options name the input they are meant for") {
  testing::HttpFixture server;
  server.Map("/api/reports", JsonAnswer(R"({"correlations":[{"x":"a","y":"b","n":9,"pearson":{"value":0.25}},)"
                                        R"({"x":"a","y":"c","n":9,"pearson":{"value":-0.5}},)"
                                        R"({"x":"b","y":"c","n":9,"pearson":{}},)"
                                        R"({"x":"a","y":"b","n":8,"lag":-1,"pearson":{"value":0.125}}]})"));
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  CommandResult result = Chartly({"report",       "run",         "--join",       "k | trim",
                                  "--input",      "p:a,b as bb", "--input",      "p:c",
                                  "--kind",       "outer",       "--input-step", "2:group by k: sum(c) as c",
                                  "--dim",        "1:d",         "--step",       "derive e = a / c",
                                  "--type",       "correlation", "--lags",       "1",
                                  "--order-by",   "k",           "--measure",    "a",
                                  "--confidence", "0.9"},
                                 url);
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(server.requests().back().body ==
        R"({"join":["k | trim"],"inputs":[{"profile_id":"p","measures":["a","b as bb"],"filter":[],"dims":["d"]},)"
        R"({"profile_id":"p","measure":"c","filter":[],"steps":["group by k: sum(c) as c"]}],"kind":"outer",)"
        R"("steps":["derive e = a / c"],"window":{"limit":1000},"output":{"type":"correlation","method":"pearson",)"
        R"("measures":["a"],"lags":1,"order_by":"k","confidence":0.9}})");
  CHECK(Contains(result.out, "pearson     a     b     c"));
  CHECK(Contains(result.out, "c        -0.5           1"));
  CHECK(Contains(result.out, "-1  8    0.125"));
}

TEST_CASE("a report is exported page by page, and formulas are disarmed if asked") {
  testing::HttpFixture server;
  server.Map("/api/reports",
             JsonAnswer(R"({"columns":["k","x"],"rows":[{"values":["=1+1",-2.50]},{"values":["a,b",null]}]})"));
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  std::vector<std::string> question = {"report", "export", "--join", "k", "--input", "p:x"};
  CommandResult csv = Chartly(question, url);
  CHECK(csv.out == "k,x\r\n=1+1,-2.50\r\n\"a,b\",\r\n");
  CHECK(Contains(server.requests().back().body, R"("window":{"limit":10000,"page_token":""}})"));
  question.push_back("--guard-formulas");
  CHECK(Contains(Chartly(question, url).out, "\r\n'=1+1,-2.50\r\n"));
  question.back() = "--format=ndjson";
  CHECK(Chartly(question, url).out == "{\"k\":\"=1+1\",\"x\":-2.50}\n{\"k\":\"a,b\",\"x\":null}\n");
}

TEST_CASE("saved reports are saved, run and listed by name") {
  testing::HttpFixture server;
  server.Map("/api/reports/daily", JsonAnswer(R"({"name":"reports/daily","version":2})"));
  server.Map("/api/reports/daily:run",
             JsonAnswer(R"({"name":"reports/daily/runs/7","version":2,"as_of":"2026-01-31T09:00:00Z","changed":true,)"
                        R"("answer":{"columns":["k"],"rows":[{"values":[1]}]}})"));
  server.Map("/api/reports/daily/runs?page_size=1000",
             JsonAnswer(R"({"runs":[{"name":"reports/daily/runs/7","version":2,"trigger":"schedule",)"
                        R"("answer":{"row_count":5,"n":4},"changed":false}]})"));
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  CommandResult saved = Chartly({"report", "save", "daily", "--every", "1d", "--input", "a:x", "--join", "k"}, url);
  CHECK(saved.out == "daily is saved as version 2\n");
  CHECK(Contains(server.requests().back().body, R"("interval":"86400s")"));
  CommandResult run = Chartly({"report", "run", "daily"}, url);
  CHECK(Contains(run.out, "reports/daily/runs/7, version 2, records as of 2026-01-31 09:00:00Z, changed"));
  server.Map("/api/reports/daily", JsonAnswer(R"({"name":"reports/daily","version":2,"report":{"join":["k"]}})"));
  CHECK(Contains(Chartly({"report", "get", "daily"}, url).out, "runs\n{\"join\":[\"k\"]}\n"));
  CommandResult runs = Chartly({"report", "runs", "daily"}, url);
  INFO(runs.err);
  CHECK(Contains(runs.out, "schedule"));
  CHECK(Chartly({"report", "save", "daily", "--every", "soon", "--input", "a:x"}, url).code == 2);
}

TEST_CASE("export writes the file of the server, whole or not at all") {
  testing::TempDir dir;
  testing::HttpFixture server;
  testing::FixtureResponse answer;
  answer.body = "dims.name,measures.v,id\r\n\"a, \"\"b\"\"\nc\",1.50,1\r\nc,,2\r\n";
  std::string path =
      "/api/records:export?profile_id=p&format=csv&filter=dims.a%20%3D%201&fields=dims&guard_formulas=true";
  server.Map(path, answer);
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  std::vector<std::string> command = {"records",    "export",   "p",    "--format",         "csv",  "--filter",
                                      "dims.a = 1", "--fields", "dims", "--guard-formulas", "--to", dir.File("p.csv")};
  CommandResult csv = Chartly(command, url);
  INFO(csv.err);
  CHECK(csv.code == 0);
  std::stringstream text;
  text << std::ifstream(dir.File("p.csv"), std::ios::binary).rdbuf();
  CHECK(text.str() == answer.body);
  CHECK(Contains(csv.err, "2 records"));
  server.Map(path, JsonAnswer(ErrorBody("RESOURCE_EXHAUSTED", "busy", "EXPORTS_BUSY"), 429));
  std::filesystem::remove(dir.File("p.csv"));
  CommandResult busy = Chartly(command, url);
  CHECK(busy.code == 1);
  CHECK(Contains(busy.err, "EXPORTS_BUSY"));
  CHECK_FALSE(std::filesystem::exists(dir.File("p.csv")));
  CHECK_FALSE(std::filesystem::exists(dir.File("p.csv.part")));
}

TEST_CASE("a query tells of names that no record has, and of nothing that some page knew") {
  testing::HttpFixture server;
  server.Map("/api/records?profile_id=p&fields=dims.a%2Cdims.b%2Cdims.c&limit=50",
             JsonAnswer(R"({"records":[],"next_page_token":"n","scanned":7,"unknown_fields":["dims.b","dims.c"]})"));
  server.Map("/api/records?profile_id=p&fields=dims.a%2Cdims.b%2Cdims.c&limit=50&page_token=n",
             JsonAnswer(R"({"records":[{"id":"2","dims":{"a":1,"b":2}}],"scanned":3,"unknown_fields":["dims.c"]})"));
  CommandResult result =
      Chartly({"records", "query", "p", "--fields", "dims.a,dims.b,dims.c"}, {{"CHARTLY_URL", server.Url("")}});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(Contains(result.out, "dims.b"));
  CHECK(Contains(result.err, "none of the 10 records looked at has a field dims.c"));
  CHECK_FALSE(Contains(result.err, "field dims.b"));
}

TEST_CASE("progress says how far it is, and how fast") {
  CHECK(Progress::Line("records", 500000, 1000000, 3 << 20, absl::Seconds(2)) ==
        "[==========>         ]  50 %  500,000 records  3.0 MiB  250,000 records/s");
  CHECK(Progress::Line("records", 0, 0, 4 << 20, absl::Seconds(2)) == "4.0 MiB  2.0 MiB/s");
}

TEST_CASE("status exits with 1 when a part does not serve, and verbs of the ledger post what they say") {
  testing::HttpFixture server;
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  server.Map("/api/status", JsonAnswer(R"({"status":"degraded","version":"0.1.0","parts":[{"part":"registry",)"
                                       R"("health":"unreachable","latency_us":"12"}]})"));
  CommandResult status = Chartly({"status"}, url);
  CHECK(status.code == 1);
  CHECK(Contains(status.out, "unreachable"));
  server.Map("/api/status", JsonAnswer(R"({"status":"degraded","version":"0.1.0","parts":[{"part":"aggregator",)"
                                       R"("health":"degraded","message":"the disk is full"}]})"));
  status = Chartly({"status"}, url);
  CHECK(status.code == 1);
  CHECK(Contains(status.out, "the disk is full"));
  server.Map("/api/deployments/d1:shelve", JsonAnswer(R"({"name":"deployments/d1","state":"paused"})"));
  CHECK(Contains(Chartly({"deployment", "shelve", "d1", "--reason", "later"}, url).out, "paused"));
  CHECK(server.requests().back().body == R"({"shelve_reason":"later"})");
  server.Map("/api/deployments", JsonAnswer(R"({"name":"deployments/d1","state":"active"})"));
  CHECK(
      Chartly({"deployment", "open", "--release", "1.0.0", "--env", "dev", "--commit", "c", "--image-digest", "d"}, url)
          .code == 0);
  CHECK(server.requests().back().body ==
        R"({"release_version":"1.0.0","environment":"dev","commit":"c","image_digest":"d"})");
}

TEST_CASE("a key that did not come out bound as it was asked for is revoked again and not printed") {
  testing::HttpFixture server;
  std::map<std::string, std::string> url = {{"CHARTLY_URL", server.Url("")}};
  const std::vector<std::string> create = {"key",       "create", "ci",        "--role", "viewer",
                                           "--project", "a",      "--project", "b"};
  server.Map("/api/keys", JsonAnswer(R"({"key":{"name":"keys/acme.ci","projects":["a","b"]},"secret":"chk_x"})"));
  const CommandResult bound = Chartly(create, url);
  CHECK(bound.code == 0);
  CHECK(bound.out == "chk_x\n");
  CHECK(Contains(server.requests().back().body, R"("projects":["a","b"])"));
  // As a control plane answers that knows no projects.
  server.Map("/api/keys", JsonAnswer(R"({"key":{"name":"keys/acme.ci"},"secret":"chk_x"})"));
  server.Map("/api/keys/acme.ci:revoke", JsonAnswer(R"({"name":"keys/acme.ci"})"));
  const CommandResult wide = Chartly(create, url);
  CHECK(wide.code != 0);
  CHECK(wide.out.empty());
  CHECK(Contains(wide.err, "PROJECTS_NOT_KNOWN"));
  CHECK(server.Count("/api/keys/acme.ci:revoke") == 1);
}

}  // namespace chartly::cli
