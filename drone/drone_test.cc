#include "drone/drone.h"

#include <chrono>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/http/http_server.h"
#include "common/net/http_client.h"
#include "common/status/status.h"
#include "drone/spool/spool.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::TempDir;

// Nobody listens at port 1.
DroneConfig ConfigIn(const TempDir& dir) {
  DroneConfig config;
  config.id = "d1";
  config.data_dir = dir.File("drone");
  config.coordinator = config.aggregator = "127.0.0.1:1";
  config.admin_listen = "127.0.0.1:0";
  return config;
}

int StatusOf(net::HttpClient& http, int port, const std::string& path) {
  net::HttpRequest request;
  request.url = absl::StrCat("http://127.0.0.1:", port, path);
  auto response = http.Send(request);
  REQUIRE_OK(response);
  return response->status;
}

TEST_CASE("a drone without its control plane is healthy, not ready, and stops in time") {
  TempDir dir;
  auto drone = Drone::Start(ConfigIn(dir));
  REQUIRE_OK(drone);
  auto http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  CHECK(StatusOf(*http, (*drone)->admin_port(), "/health") == 200);
  CHECK(StatusOf(*http, (*drone)->admin_port(), "/ready") == 503);
  CHECK(StatusOf(*http, (*drone)->admin_port(), "/metrics") == 200);
  CHECK(StatusOf(*http, (*drone)->admin_port(), "/else") == 404);
  auto begin = std::chrono::steady_clock::now();
  (*drone)->Shutdown();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  (*drone)->Shutdown();
}

TEST_CASE("a second drone on the folder, a taken port and a wrong range are refused by one clear message") {
  TempDir dir;
  auto first = Drone::Start(ConfigIn(dir));
  REQUIRE_OK(first);
  auto locked = Drone::Start(ConfigIn(dir));
  CHECK(Reason(locked.status()) == "SPOOL_LOCKED");
  CHECK(std::string(locked.status().message()).find(dir.path()) != std::string::npos);

  DroneConfig taken = ConfigIn(dir);
  taken.data_dir = dir.File("other");
  taken.admin_listen = absl::StrCat("127.0.0.1:", (*first)->admin_port());
  auto port = Drone::Start(taken);
  CHECK(Reason(port.status()) == "PORT_IN_USE");
  CHECK(std::string(port.status().message()).find(taken.admin_listen) != std::string::npos);

  DroneConfig range = ConfigIn(dir);
  range.egress_allow = {"10.0.0.0/99"};
  auto cidr = Drone::Start(range);
  CHECK(Reason(cidr.status()) == "CIDR_INVALID");
  CHECK(std::string(cidr.status().message()).find("--egress-allow") != std::string::npos);
}

TEST_CASE("wrong flags end with exit code 2") {
  auto run = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "chartly-drone");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    return RunDrone(static_cast<int>(argv.size()), argv.data());
  };
  CHECK(run({"--no-such-flag"}) == 2);
  CHECK(run({"--id", "Not An Id"}) == 2);
  CHECK(run({"--control-plane", "nonsense"}) == 2);
  CHECK(run({"--label", "novalue"}) == 2);
  CHECK(run({"--egress-allow", "10.0.0.0/99"}) == 2);
  CHECK(run({"--key-file", "/does/not/exist"}) == 2);
  CHECK(run({"--capacity", "0"}) == 2);
  CHECK(run({"--version"}) == 0);
  TempDir dir;
  CHECK(run({"--consent", dir.File("none.yaml")}) == 2);
  std::ofstream(dir.File("faulty.yaml")) << "host: [a.gov]\n";
  CHECK(run({"--consent", dir.File("faulty.yaml")}) == 2);
  std::ofstream(dir.File("range.yaml")) << "egress: [10.0.0.0/99]\n";
  CHECK(run({"--consent", dir.File("range.yaml")}) == 2);
}

}  // namespace
}  // namespace chartly::drone
