// How large a fleet one coordinator plans and hears: steps of the planner at 100,000 drones and 10,000 profiles, and
// heartbeats of as many drones to the coordinator's logic on a real state store. The calls are made in this process:
// what gRPC costs is not in the figures.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/bench_report.h"
#include "common/clock/clock.h"
#include "common/state/state_store.h"
#include "common/telemetry/log.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/drone_table.h"
#include "control/coordinator/planner.h"

namespace chartly::bench {
namespace {

using coordinator::PlannedDrone;
using coordinator::PlannedProfile;
using coordinator::Planner;

constexpr double kStepLimitMs = 200;
constexpr double kLossLimitMs = 2000;
constexpr double kBeatSeconds = 30;  // between two heartbeats of a drone
constexpr int kNewcomers = 200;

struct Size {
  int drones;
  int profiles;
};

double Milliseconds(const std::function<void()>& work) {
  Stopwatch watch;
  work();
  return watch.Wall() * 1000;
}

PlannedDrone DroneNumber(int number) {
  PlannedDrone drone;
  drone.id = absl::StrCat("drone-", number);
  drone.labels = {{"region", absl::StrCat("r", number % 20)}};
  drone.capacity = 2 + number % 5;
  return drone;
}

PlannedProfile ProfileNumber(int number) {
  PlannedProfile profile;
  profile.id = absl::StrCat("profile-", number);
  profile.source = absl::StrCat("host-", number % 500);
  if (number % 10 == 0) profile.selector = {{"region", absl::StrCat("r", number / 10 % 20)}};
  return profile;
}

// The longest of the steps that bring the plan up to date, and all of them together.
struct Steps {
  double longest_ms = 0;
  double all_ms = 0;
  size_t moved = 0;
};

Steps Settle(Planner& planner) {
  Steps steps;
  while (planner.pending()) {
    const double took = Milliseconds([&] { steps.moved += planner.Step().size(); });
    steps.longest_ms = std::max(steps.longest_ms, took);
    steps.all_ms += took;
  }
  return steps;
}

void Print(const char* what, const Steps& steps, double limit_ms, bool whole = false) {
  const double figure = whole ? steps.all_ms : steps.longest_ms;
  std::printf("  %-44s %9.1f ms  (limit %.0f ms)  %s  all steps %.1f ms, %zu profiles placed\n", what, figure, limit_ms,
              figure <= limit_ms ? "ok  " : "MISS", steps.all_ms, steps.moved);
  RecordFigure({std::string("fleet plan: ") + what, "ours", "Chartly", figure, "ms", true, limit_ms});
}

void RunPlanner(const Size& size) {
  std::printf("planner, %d drones x %d profiles, longest step\n", size.drones, size.profiles);
  Planner planner;
  for (int i = 0; i < size.drones; ++i) planner.SetDrone(DroneNumber(i));
  for (int i = 0; i < size.profiles; ++i) planner.SetProfile(ProfileNumber(i));
  Print("everything new", Settle(planner), kStepLimitMs);
  planner.SetDrone(DroneNumber(size.drones));
  Print("a drone joins", Settle(planner), kStepLimitMs);
  planner.RemoveDrone("drone-7");
  Print("a drone leaves", Settle(planner), kStepLimitMs);
  planner.SetProfile(ProfileNumber(size.profiles));
  Print("a profile comes", Settle(planner), kStepLimitMs);
  for (int i = 0; i < size.drones; i += 10) planner.RemoveDrone(absl::StrCat("drone-", i));
  Print("a tenth of the drones is lost, to the end", Settle(planner), kLossLimitMs, /*whole=*/true);
  for (int i = 0; i < size.drones; i += 10) planner.SetDrone(DroneNumber(i));
  Print("it comes back", Settle(planner), kStepLimitMs);
}

double ResidentMiB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

v1::RegisterDroneRequest NewcomerNumber(int number) {
  v1::RegisterDroneRequest request;
  request.set_drone_id(absl::StrCat("drone-", number));
  (*request.mutable_labels())["region"] = absl::StrCat("r", number % 20);
  return request;
}

// The fleet as a coordinator finds it after a restart.
void SeedDrones(StateStore& store, int drones, absl::Time now) {
  const coordinator::DroneTable nobody;
  StateTransaction transaction;
  for (int i = 0; i < drones; ++i) {
    transaction.puts.push_back(coordinator::DroneTable::StoredForm(nobody.Registered(NewcomerNumber(i), now)));
    if (transaction.puts.size() < 1000 && i + 1 < drones) continue;
    RequireOk(store.Commit(transaction).status(), "writing the fleet");
    transaction.puts.clear();
  }
}

void RunHeartbeats(const Size& size, const BenchFlags& flags) {
  BenchDir dir(flags.dir);
  SystemClock clock;
  auto store = OpenEmbeddedStateStore(dir.path() + "/state", clock);
  RequireOk(store.status(), "opening the state");
  SeedDrones(**store, size.drones, clock.Now());
  const double before = ResidentMiB();
  coordinator::EventLog events(clock.Now());
  coordinator::CoordinatorOptions options;
  options.heartbeat_interval = absl::Seconds(kBeatSeconds);
  coordinator::Coordinator fleet(options, **store, clock, events);
  const double load_ms = Milliseconds([&] { RequireOk(fleet.Load(), "reading the state"); });
  std::vector<v1::HeartbeatRequest> beats(static_cast<size_t>(size.drones));
  for (size_t i = 0; i < beats.size(); ++i) {
    beats[i].set_drone_id(absl::StrCat("drone-", i));
    beats[i].set_epoch(1);
  }
  Stopwatch registering;
  for (int i = 0; i < kNewcomers; ++i)
    RequireOk(fleet.RegisterDrone(NewcomerNumber(size.drones + i)).status(), "registering");
  const double registrations = kNewcomers / registering.Wall();
  std::printf("coordinator, %d drones, one heartbeat per %.0f s each (without gRPC)\n", size.drones, kBeatSeconds);
  std::printf("  reading the state after a restart             %9.0f ms\n", load_ms);
  std::printf("  registrations one after the other, fsynced    %9.0f /s\n", registrations);
  double longest_tick = 0;
  Stopwatch hearing;
  for (size_t i = 0; i < beats.size(); ++i) {
    RequireOk(fleet.Heartbeat(beats[i]).status(), "beating");
    // As many steps as fall into this share of the interval.
    if (i % (beats.size() / 120 + 1) == 0) {
      longest_tick = std::max(longest_tick, Milliseconds([&] { RequireOk(fleet.Tick(), "a step"); }));
    }
  }
  const double cores = hearing.Cpu() / kBeatSeconds;
  std::printf("  heartbeats and the steps of an interval       %9.4f cores  (limit 1)  %s\n", cores,
              cores <= 1 ? "ok" : "MISS");
  RecordFigure({"fleet heartbeats without gRPC", "ours", "Chartly", cores, "cores", true, 1});
  std::printf("  longest step                                  %9.1f ms\n", longest_tick);
  std::printf("  memory                                        %9.0f MiB  (limit 4096)  %s\n", ResidentMiB() - before,
              ResidentMiB() - before <= 4096 ? "ok" : "MISS");
}

int Run(int argc, char** argv) {
  const BenchFlags flags = ParseFlags(argc, argv);
  InitLog("fleet_bench", "warn");
  RunPlanner({100'000, 10'000});
  RunHeartbeats({flags.quick ? 10'000 : 100'000, 0}, flags);
  std::printf(
      "published sizing beside it, with gRPC or HTTP: Elastic Fleet Server asks 16 vCPU and 16 GB for 100,000 agents;\n"
      "Fleet (osquery) asks 20 servers of 1 vCPU and 4 GB for 150,000 hosts.\n");
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
