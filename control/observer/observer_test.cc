#include "control/observer/observer.h"

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/barrier.h"
#include "test/support/test.h"

namespace chartly::observer {

struct ObserverFixture {
  FakeClock clock;
  std::map<Part, absl::StatusOr<v1::PartCondition>> faults;
  std::atomic<int> probes{0};
  Observer observer{MakeDeps("127.0.0.1:8090"), clock};

  ObserverDeps MakeDeps(const std::string& gateway_address) {
    return {[this](Part part) -> absl::StatusOr<v1::PartCondition> {
              ++probes;
              auto found = faults.find(part);
              if (found == faults.end()) return v1::PartCondition();
              return found->second;
            },
            [](Part part) { return absl::StrCat("host:", InfoOf(part).port); }, gateway_address};
  }
  v1::PartStatus PartOf(const v1::SystemStatus& status, const std::string& name) {
    for (const v1::PartStatus& part : status.parts()) {
      if (part.part() == name) return part;
    }
    FAIL("no part " + name);
    return {};
  }
};

TEST_CASE("all parts serving is ok, and each is named with its plane") {
  ObserverFixture fixture;
  v1::SystemStatus status = fixture.observer.GetStatus();
  CHECK(status.status() == "ok");
  CHECK(status.version() == kVersion);
  REQUIRE(status.parts_size() == static_cast<int>(Parts().size()));
  CHECK(fixture.PartOf(status, "aggregator").plane() == "data");
  CHECK(fixture.PartOf(status, "gateway").health() == v1::PART_HEALTH_SERVING);
  CHECK(fixture.PartOf(status, "gateway").address() == "127.0.0.1:8090");
}

TEST_CASE("a part that answers no, or not at all, makes the system degraded and says why") {
  ObserverFixture fixture;
  fixture.faults[Part::kReporter] = absl::FailedPreconditionError("starting");
  fixture.faults[Part::kAudit] = absl::UnavailableError("connection refused");
  v1::SystemStatus status = fixture.observer.GetStatus();
  CHECK(status.status() == "degraded");
  CHECK(fixture.PartOf(status, "reporter").health() == v1::PART_HEALTH_NOT_SERVING);
  CHECK(fixture.PartOf(status, "audit").health() == v1::PART_HEALTH_UNREACHABLE);
  CHECK(fixture.PartOf(status, "audit").message() == "connection refused");
  CHECK(fixture.PartOf(status, "registry").health() == v1::PART_HEALTH_SERVING);
  fixture.faults.clear();
  fixture.clock.Advance(absl::Seconds(1));
  CHECK(fixture.observer.GetStatus().status() == "ok");
}

TEST_CASE("a part that serves with something amiss makes the system degraded, one with a problem does not serve") {
  ObserverFixture fixture;
  v1::PartCondition condition;
  condition.set_amiss("the disk is full");
  fixture.faults[Part::kAggregator] = condition;
  v1::SystemStatus status = fixture.observer.GetStatus();
  CHECK(status.status() == "degraded");
  CHECK(fixture.PartOf(status, "aggregator").health() == v1::PART_HEALTH_DEGRADED);
  CHECK(fixture.PartOf(status, "aggregator").message() == "the disk is full");
  CHECK(fixture.PartOf(status, "registry").health() == v1::PART_HEALTH_SERVING);
  condition.set_problem("the disk failed");
  fixture.faults[Part::kAggregator] = condition;
  fixture.clock.Advance(absl::Seconds(1));
  status = fixture.observer.GetStatus();
  CHECK(fixture.PartOf(status, "aggregator").health() == v1::PART_HEALTH_NOT_SERVING);
  CHECK(fixture.PartOf(status, "aggregator").message() == "the disk failed");
}

TEST_CASE("a gateway in another process is asked like any part, one of this process is there if we are") {
  ObserverFixture fixture;
  Observer elsewhere(fixture.MakeDeps(""), fixture.clock);
  v1::SystemStatus status = elsewhere.GetStatus();
  CHECK(status.status() == "ok");
  CHECK(fixture.PartOf(status, "gateway").health() == v1::PART_HEALTH_SERVING);
  CHECK(fixture.PartOf(status, "gateway").address() == "host:8090");
  fixture.faults[Part::kGateway] = absl::UnavailableError("connection refused");
  fixture.clock.Advance(absl::Seconds(1));
  CHECK(fixture.PartOf(elsewhere.GetStatus(), "gateway").health() == v1::PART_HEALTH_UNREACHABLE);
  CHECK(fixture.PartOf(fixture.observer.GetStatus(), "gateway").health() == v1::PART_HEALTH_SERVING);
}

TEST_CASE("one round serves every caller of half a second, also those that come at once") {
  ObserverFixture fixture;
  const int parts = static_cast<int>(Parts().size()) - 1;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) callers.emplace_back([&] { fixture.observer.GetStatus(); });
  for (std::thread& caller : callers) caller.join();
  CHECK(fixture.probes == parts);
  fixture.clock.Advance(absl::Milliseconds(499));
  fixture.observer.GetStatus();
  CHECK(fixture.probes == parts);
  fixture.clock.Advance(absl::Milliseconds(1));
  fixture.observer.GetStatus();
  CHECK(fixture.probes == 2 * parts);
  fixture.clock.Advance(-absl::Hours(1));
  fixture.observer.GetStatus();
  CHECK(fixture.probes == 3 * parts);
}

TEST_CASE("parts are asked at the same time") {
  FakeClock clock;
  // Only if all probes run at once does each get past the barrier.
  absl::Barrier barrier(static_cast<int>(Parts().size()));
  Observer observer({[&](Part) {
                       barrier.Block();
                       return v1::PartCondition();
                     },
                     [](Part) { return std::string("in-process"); }, ""},
                    clock);
  CHECK(observer.GetStatus().status() == "ok");
}

}  // namespace chartly::observer
