// How large a fleet one coordinator plans and hears: steps of the planner at 100,000 drones and 10,000 profiles; a
// coordinator's logic on a real state store without gRPC; and then a coordinator in a process of its own with drones
// that speak to it over gRPC as shipped ones do, each on a stream of its own, many on a connection or each on its own
// one.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "bench/bench_report.h"
#include "bench/fleet_server.h"
#include "bench/fleet_swarm.h"
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
constexpr double kMemoryLimitMiB = 4096;
constexpr double kRevisionLimitSeconds = 5;
constexpr double kLossLimitSeconds = 2;
constexpr double kStormSeconds = 60;

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
    transaction.puts.push_back(coordinator::DroneTable::StoredForm(nobody.Registered(NewcomerNumber(i), now, now)));
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
  const double before = ResidentMiBOf("self");
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
  std::printf("  memory                                        %9.0f MiB  (limit 4096)  %s\n",
              ResidentMiBOf("self") - before, ResidentMiBOf("self") - before <= 4096 ? "ok" : "MISS");
}

const char* Verdict(bool good) { return good ? "ok" : "MISS"; }

void Note(const std::string& what, double value, const std::string& unit, double limit) {
  RecordFigure({absl::StrCat("fleet over gRPC: ", what), "ours", "Chartly", value, unit, true, limit});
}

double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * static_cast<double>(sorted.size())))];
}

void RaiseFileLimit() {
  struct rlimit limit {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int FilesAllowed() {
  struct rlimit limit {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1'000'000));
}

// What missed its time, or failed, is said and makes the figure a miss; it does not end the measurement.
double Storm(const char* what, FleetSwarm& swarm, const std::function<int()>& storm) {
  Stopwatch watch;
  const int errors = swarm.errors();
  const int missing = storm();
  const double seconds = watch.Wall();
  const bool good = missing == 0 && swarm.errors() == errors && seconds <= kStormSeconds;
  std::printf("  %-46s %8.1f s    (limit %.0f s)  %s", what, seconds, kStormSeconds, Verdict(good));
  if (missing > 0) std::printf("  %d drones without an answer", missing);
  if (swarm.errors() > errors) std::printf("  %d errors, the first: %s", swarm.errors(), swarm.first_error().c_str());
  std::printf("\n");
  Note(what, good ? seconds : std::max(seconds, kStormSeconds + 1), "s", kStormSeconds);
  return seconds;
}

void MeasureRest(const char* what, const FleetServer& server, const FleetSwarm& swarm, double seconds) {
  absl::Notification never;
  const double cpu = server.CpuSeconds();
  const int64_t answers = swarm.answers();
  Stopwatch watch;
  never.WaitForNotificationWithTimeout(absl::Seconds(seconds));
  const double cores = (server.CpuSeconds() - cpu) / watch.Wall();
  const double each_second = static_cast<double>(swarm.answers() - answers) / watch.Wall();
  const double memory = server.ResidentMiB();
  std::printf("  %-46s %8.3f cores (limit 1)  %s   %.0f heartbeats/s, over %.0f s\n",
              absl::StrCat(what, ": processor").c_str(), cores, Verdict(cores <= 1), each_second, watch.Wall());
  std::printf("  %-46s %8.0f MiB  (limit %.0f)  %s\n", absl::StrCat(what, ": memory").c_str(), memory, kMemoryLimitMiB,
              Verdict(memory <= kMemoryLimitMiB));
  Note(absl::StrCat(what, ", processor"), cores, "cores", 1);
  Note(absl::StrCat(what, ", memory"), memory, "MiB", kMemoryLimitMiB);
}

void MeasureOrders(const char* what, FleetSwarm& swarm, size_t expected, FleetSwarm::Instant since, double limit) {
  const double patience = 20;
  Stopwatch watch;
  absl::Notification never;
  while (swarm.orders() < expected && watch.Wall() < patience)
    never.WaitForNotificationWithTimeout(absl::Milliseconds(5));
  std::vector<double> seconds = swarm.OrdersSince(since);
  seconds.resize(std::min(seconds.size(), expected));
  const bool all = seconds.size() >= expected;
  const double p99 = all ? Percentile(seconds, 0.99) : patience;
  std::printf("  %-46s %8.2f s    (limit %.0f s)  %s   half %.2f s, last %.2f s, %zu of %zu orders\n", what, p99, limit,
              Verdict(all && p99 <= limit), Percentile(seconds, 0.5), Percentile(seconds, 1), seconds.size(), expected);
  Note(what, p99, "s", limit);
}

// Streams that share connections: what a stream costs, and how fast a fleet is told.
void RunStreams(const BenchFlags& flags) {
  const int drones = flags.quick ? 10'000 : 100'000;
  const int orders = flags.quick ? 2'000 : 10'000;
  BenchDir dir(flags.dir);
  FleetServer server({dir.path(), 0});
  const int port = server.port();
  SwarmOptions options{port, drones, drones / 500};
  std::printf("coordinator in its own process, %d drones with a stream each on %d connections\n", drones,
              options.connections);
  FleetSwarm swarm(options);
  const double registered = Storm("all register at once, each fsynced", swarm, [&] { return swarm.RegisterAll(120); });
  std::printf("  %-46s %8.0f /s\n", "that is", drones / registered);
  Storm("all open their streams at once", swarm, [&] { return swarm.AttendAll(120); });
  MeasureRest("heartbeats, one per 30 s each", server, swarm, flags.quick ? 5 : 30);
  swarm.ForgetOrders();
  const auto published = std::chrono::steady_clock::now();
  // The plan does not find all holders at once; each is ordered as soon as it is found.
  server.Publish(orders / 100, 100);
  MeasureOrders(absl::StrCat("orders of new profiles, ", orders, " of them, p99").c_str(), swarm,
                static_cast<size_t>(orders), published, kRevisionLimitSeconds);
  server.EndRuns();
  const int64_t ended = swarm.ended();
  server.Kill();
  FleetServer next({dir.path(), port});
  Storm("killed and started again: all are back", swarm, [&] { return swarm.AwaitComeback(120, ended + drones); });
  std::printf("  %-46s %8d        %s\n", "errors that drones were told, in all", swarm.errors(),
              swarm.first_error().c_str());
}

// A tenth of the drones takes its orders and is never heard again: when their leases end, others are told.
void RunLoss(const BenchFlags& flags) {
  const int drones = flags.quick ? 2'000 : 10'000;
  const double lease = 6;
  BenchDir dir(flags.dir);
  FleetServer server({dir.path(), 0, 2'000});
  SwarmOptions options{server.port(), drones, std::max(1, drones / 500), 2};
  FleetSwarm swarm(options);
  swarm.MuteEach(10);
  swarm.RegisterAll(60);
  swarm.AttendAll(60);
  server.Publish(drones, 1);
  Stopwatch watch;
  absl::Notification never;
  while (swarm.orders() < static_cast<size_t>(drones) && watch.Wall() < 60) {
    never.WaitForNotificationWithTimeout(absl::Milliseconds(20));
  }
  const size_t held = swarm.mute_orders();
  swarm.ForgetOrders();
  const auto lost = std::chrono::steady_clock::now();
  const int gone = swarm.Lose(10);
  std::printf("%d of %d drones are lost at once, with %zu runs\n", gone, drones, held);
  // A lease goes on from the last heartbeat, which was up to an interval ago.
  MeasureOrders("their work is with others, after the leases", swarm, held,
                lost + std::chrono::milliseconds(static_cast<int64_t>(lease * 1000)), kLossLimitSeconds);
}

// Each drone on a connection of its own.
void RunConnections(const BenchFlags& flags) {
  const int wanted = flags.quick ? 1'500 : 15'000;
  const int drones = std::min(wanted, FilesAllowed() - 500);
  if (drones < wanted) {
    std::printf("this host allows %d open files a process: fewer than the %d connections wanted\n", FilesAllowed(),
                wanted);
  }
  BenchDir dir(flags.dir);
  FleetServer server({dir.path(), 0});
  const double before = server.ResidentMiB();
  SwarmOptions options{server.port(), drones, drones};
  std::printf("coordinator in its own process, %d drones with a connection each\n", drones);
  FleetSwarm swarm(options);
  Storm("all connect and register at once", swarm, [&] { return swarm.RegisterAll(180); });
  Storm("all open their streams", swarm, [&] { return swarm.AttendAll(120); });
  MeasureRest("connections, one heartbeat per 30 s each", server, swarm, flags.quick ? 4 : 30);
  std::printf("  %-46s %8.1f KiB\n", "that is, a connection with its drone",
              (server.ResidentMiB() - before) * 1024 / drones);
}

int Run(int argc, char** argv) {
  const BenchFlags flags = ParseFlags(argc, argv);
  InitLog("fleet_bench", "warn");
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  RaiseFileLimit();
  RunPlanner({100'000, 10'000});
  RunHeartbeats({flags.quick ? 10'000 : 100'000, 0}, flags);
  RunStreams(flags);
  RunLoss(flags);
  RunConnections(flags);
  std::printf(
      "published sizing beside it: Elastic Fleet Server asks 16 vCPU and 16 GB for 100,000 agents, and Elasticsearch;\n"
      "Fleet (osquery) asks 20 servers of 1 vCPU and 4 GB for 150,000 hosts, and MySQL.\n");
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as the shipped programs
  int exit_code = 0;
  if (chartly::bench::ServeFleet(argc, argv, &exit_code)) return exit_code;
  return chartly::bench::Run(argc, argv);
}
