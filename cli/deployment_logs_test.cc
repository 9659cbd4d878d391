#include <sys/stat.h>

#include <iterator>

#include "absl/strings/str_cat.h"
#include "cli/command_fixture_test.h"
#include "cli/json.h"
#include "cli/log_bundle.h"
#include "common/status/status.h"
#include "test/support/temp_dir.h"

namespace chartly::cli {
namespace {

constexpr char kDigest[] = "sha256:aaaa";
constexpr char kPods[] = "/api/v1/namespaces/shop/pods";

std::string PodJson(const std::string& name, const std::string& image, int restarts = 0) {
  return absl::StrCat(
      R"({"metadata":{"name":")", name,
      R"(","labels":{"app.kubernetes.io/component":"gateway","app.kubernetes.io/version":"1.4.0"}},)",
      R"("spec":{"nodeName":"n1","containers":[{"name":"web","image":")", image,
      R"("}]},"status":{"phase":"Running","containerStatuses":[{"name":"web","imageID":"id","restartCount":)", restarts,
      "}]}}");
}

// A control plane that knows the deployment, and the API of a cluster, in one server.
struct Site {
  Site() {
    server.Map("/api/deployments/d1",
               {.body = absl::StrCat(R"({"name":"deployments/d1","release_version":"1.4.0","image_digest":")", kDigest,
                                     R"(","commit":"c0ffee","create_time":"2026-01-01T00:00:00Z"})"),
                .headers = {{"Content-Type", "application/json"}}});
  }
  void Show(const std::string& pods) {
    server.Map(absl::StrCat(kPods,
                            "?labelSelector=app.kubernetes.io%2Fpart-of%3Dchartly%2Capp.kubernetes.io%2Fversion%3D1.4.0"
                            "&limit=500&resourceVersion=0"),
               {.body = absl::StrCat(R"({"items":[)", pods, "]}")});
  }
  void Log(const std::string& pod, const std::string& text, const std::string& previous = "") {
    server.Map(absl::StrCat(kPods, "/", pod, "/log?timestamps=true&container=web", previous,
                            "&sinceTime=2026-01-01T00%3A00%3A00Z&tailLines=1000000"),
               {.body = text});
  }
  CommandResult Logs(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"deployment", "logs", "d1", "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Chartly(arguments, {{"CHARTLY_URL", server.Url("")}, {"CHARTLY_KEY", "my-own-admin-key"}});
  }
  std::vector<std::string> Cluster() { return {"--kube-url", server.Url(""), "--namespace", "shop"}; }

  testing::HttpFixture server;
  testing::TempDir folder;
  std::string out = folder.File("bundle");
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  INFO(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Json ReadBundle(const std::string& folder) {
  auto parsed = Json::Parse(ReadFile(folder + "/bundle.json"));
  REQUIRE_OK(parsed);
  return *std::move(parsed);
}

}  // namespace

TEST_CASE("the logs of the pods of a deployment are one folder, with versions and request ids and without secrets") {
  Site site;
  site.Show(absl::StrCat(PodJson("g-1", absl::StrCat("chartly:v1.4.0@", kDigest), 2), ",",
                         PodJson("g-2", "chartly:v1.4.0"), ",", PodJson("other", "chartly:v1.4.0@sha256:bbbb")));
  site.Log("g-1", "t info refused request_id=\"r-1\" password=hunter2\n");
  site.Log("g-1", "t error gone\n", "&previous=true");
  site.Log("g-2", "t info said my-own-admin-key request_id=\"r-1\"\nt info request_id=\"r-2\"\n");
  CommandResult result = site.Logs(site.Cluster());
  INFO(result.err);
  REQUIRE(result.code == kOk);
  CHECK(Contains(result.out, "gateway/g-1/web.previous.log"));
  CHECK(Contains(result.out, "2 request ids"));
  CHECK(ReadFile(site.out + "/gateway/g-1/web.log") == "t info refused request_id=\"r-1\" password=[redacted]\n");
  CHECK(ReadFile(site.out + "/gateway/g-1/web.previous.log") == "t error gone\n");
  CHECK(Contains(ReadFile(site.out + "/gateway/g-2/web.log"), "said [redacted] request_id"));
  struct stat found {};
  REQUIRE(::stat(site.out.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0700);
  const Json bundle = ReadBundle(site.out);
  CHECK(bundle["deployment"]["commit"].text() == "c0ffee");
  CHECK(bundle["since"].text() == "2026-01-01T00:00:00Z");
  CHECK(bundle["redacted"].integer() == 2);
  REQUIRE(bundle["logs"].items().size() == 3);  // and not of the pod with another image
  const Json& log = bundle["logs"].items()[0];
  CHECK(log["pod"].text() == "g-1");
  CHECK(log["version"].text() == "1.4.0");
  CHECK(log["image"].text() == absl::StrCat("chartly:v1.4.0@", kDigest));
  CHECK(log["restarts"].integer() == 2);
  REQUIRE(bundle["requests"].items().size() == 2);
  CHECK(bundle["requests"].items()[0].ToText() ==
        R"({"request_id":"r-1","files":["gateway/g-1/web.log","gateway/g-2/web.log"]})");
}

TEST_CASE("a log that cannot be had is told, and the others are kept") {
  Site site;
  site.Show(absl::StrCat(PodJson("g-1", "chartly:v1.4.0"), ",", PodJson("g-2", "chartly:v1.4.0")));
  site.Log("g-1", "t one\n");
  CommandResult result = site.Logs(site.Cluster());
  CHECK(result.code == kOk);
  CHECK(Contains(result.err, "1 of 2 logs could not be had"));
  CHECK(ReadFile(site.out + "/gateway/g-1/web.log") == "t one\n");
  CHECK(Contains(ReadBundle(site.out)["logs"].items()[1]["error"].text(), "not in the cluster"));
}

TEST_CASE("all logs together stay within the bound, and the newest lines are what stays") {
  Site site;
  site.Show(absl::StrCat(PodJson("g-1", "chartly:v1.4.0"), ",", PodJson("g-2", "chartly:v1.4.0")));
  std::string many;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, "t line ", i, "\n");
  site.Log("g-1", many);
  site.Log("g-2", "t one\n");
  std::vector<std::string> arguments = site.Cluster();
  arguments.insert(arguments.end(), {"--bytes-max", "400"});
  REQUIRE(site.Logs(arguments).code == kOk);
  const std::string kept = ReadFile(site.out + "/gateway/g-1/web.log");
  CHECK(kept.size() <= 200);
  CHECK(kept.size() > 180);
  CHECK(Contains(kept, "t line 999\n"));
  CHECK(kept.rfind("t line ", 0) == 0);
  const Json log = ReadBundle(site.out)["logs"].items()[0];
  CHECK(log["lines"].integer() + log["older_lines_left_out"].integer() == 1000);
}

TEST_CASE("logs of other places are taken from files, with no cluster") {
  Site site;
  const std::string path = WriteFile(site.folder.File("c.log"), "control-1 | token=abcdefgh\nlast line without an end");
  REQUIRE(site.Logs({"--log", "control=" + path}).code == kOk);
  CHECK(ReadFile(site.out + "/files/control.log") == "control-1 | token=[redacted]\nlast line without an end\n");
  CommandResult again = site.Logs({"--log", "control=" + path});
  CHECK(again.code != kOk);
  CHECK(Contains(again.err, "is there already"));
}

TEST_CASE("what cannot be is said before a folder is made") {
  Site site;
  const auto [arguments, why] = GENERATE(table<std::vector<std::string>, std::string>({
      {std::vector<std::string>{}, "kubectl proxy"},
      {{"--log", "no-file"}, "it is NAME=FILE"},
      {{"--log", "../up=x"}, "it is NAME=FILE"},
      {{"--kube-token-file", "x"}, "--kube-url"},
  }));
  CommandResult result = site.Logs(arguments);
  CHECK(result.code != kOk);
  CHECK(Contains(result.err, why));
  CHECK_FALSE(std::filesystem::exists(site.out));
  site.Show("");
  result = site.Logs(site.Cluster());
  CHECK(Contains(result.err, "no pod of namespace shop runs version 1.4.0"));
  CHECK_FALSE(std::filesystem::exists(site.out));
}

TEST_CASE("lines are put together from pieces, and one without an end is cut") {
  testing::TempDir folder;
  auto bundle = LogBundle::Create(folder.File("b"), 1 << 20, LogRedactor());
  REQUIRE_OK(bundle);
  std::vector<std::string> pieces = {"on", "e\ntw", "o\n", std::string(kLogLineMax, 'x'), std::string(9, 'x'), "\nend"};
  size_t at = 0;
  REQUIRE_OK((*bundle)->Add("a.log", Json::Object(), [&]() -> absl::StatusOr<absl::string_view> {
    return at < pieces.size() ? absl::string_view(pieces[at++]) : absl::string_view();
  }));
  REQUIRE_OK((*bundle)->Add("b.log", Json::Object(), [&]() -> absl::StatusOr<absl::string_view> {
    if (at++ == pieces.size()) return absl::string_view("before\n");
    return absl::UnavailableError("broken off");
  }));
  auto made = (*bundle)->Finish(Json::Object());
  REQUIRE_OK(made);
  CHECK(ReadFile(folder.File("b/a.log")) == "one\ntwo\n" + std::string(kLogLineMax, 'x') + "\nend\n");
  CHECK((*made)["logs"].items()[0]["long_lines_cut"].integer() == 1);
  CHECK(ReadFile(folder.File("b/b.log")) == "before\n");
  CHECK((*made)["logs"].items()[1]["error"].text() == "broken off");
}

}  // namespace chartly::cli
