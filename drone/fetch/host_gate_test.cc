#include "drone/fetch/host_gate.h"

#include <thread>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

constexpr char kHost[] = "http://h:80";

struct World {
  FakeClock clock;
  HostGate gate{clock};
  absl::Notification stop;
  absl::Status Enter(double rate = 0) { return gate.Enter(kHost, rate, absl::InfiniteFuture(), stop); }
  void Fail(int times, absl::Duration apart = absl::ZeroDuration()) {
    for (int i = 0; i < times; ++i) {
      REQUIRE_OK(Enter());
      gate.Leave(kHost, HostGate::Outcome::kFailed, "no answer");
      clock.Advance(apart);
    }
  }
};

TEST_CASE("requests to one host come no faster than the rate, whoever sends them") {
  World world;
  absl::Time start = world.clock.Now();
  for (int i = 0; i < 5; ++i) CHECK_OK(world.Enter(10));
  CHECK(world.clock.Now() - start == absl::Milliseconds(400));
  CHECK_OK(world.gate.Enter("http://other:80", 10, absl::InfiniteFuture(), world.stop));
  CHECK(world.clock.Now() - start == absl::Milliseconds(400));
  world.clock.Advance(absl::Seconds(5));
  CHECK_OK(world.Enter(10));
  CHECK(world.clock.Now() - start == absl::Milliseconds(5400));
}

TEST_CASE("eight failures within a minute shut the gate for a minute") {
  World world;
  world.Fail(8);
  absl::Status shut = world.Enter();
  CHECK(Reason(shut) == "SOURCE_CIRCUIT_OPEN");
  CHECK(std::string(shut.message()).find("no answer") != std::string::npos);
  CHECK(Details(shut)["until"] ==
        absl::FormatTime(absl::RFC3339_sec, world.clock.Now() + absl::Seconds(60), absl::UTCTimeZone()));
  CHECK_OK(world.gate.Enter("http://other:80", 0, absl::InfiniteFuture(), world.stop));
  world.clock.Advance(absl::Seconds(59));
  CHECK_FALSE(world.Enter().ok());
  world.clock.Advance(absl::Seconds(1));
  CHECK_OK(world.Enter());
}

TEST_CASE("failures that are far apart, or ended by an answer, shut nothing") {
  World world;
  world.Fail(20, absl::Seconds(10));
  CHECK_OK(world.Enter());
  world.clock.Advance(absl::Hours(1));
  world.Fail(7);
  REQUIRE_OK(world.Enter());
  world.gate.Leave(kHost, HostGate::Outcome::kAnswered);
  world.Fail(7);
  CHECK_OK(world.Enter());
}

TEST_CASE("one request at a time tries a host after the pause") {
  World world;
  world.Fail(8);
  world.clock.Advance(absl::Seconds(60));
  REQUIRE_OK(world.Enter());
  CHECK(Reason(world.Enter()) == "SOURCE_CIRCUIT_OPEN");
  world.gate.Leave(kHost, HostGate::Outcome::kUnknown);
  REQUIRE_OK(world.Enter());
  world.gate.Leave(kHost, HostGate::Outcome::kFailed, "still none");
  CHECK(Reason(world.Enter()) == "SOURCE_CIRCUIT_OPEN");
  world.clock.Advance(absl::Seconds(60));
  REQUIRE_OK(world.Enter());
  world.gate.Leave(kHost, HostGate::Outcome::kAnswered);
  CHECK_OK(world.Enter());
  CHECK_OK(world.Enter());
}

TEST_CASE("nobody waits for a turn past the end of its run, nor keeps it from others") {
  World world;
  REQUIRE_OK(world.Enter(0.1));
  absl::Time start = world.clock.Now();
  CHECK(Reason(world.gate.Enter(kHost, 0.1, start + absl::Seconds(3), world.stop)) == "RUN_TIMEOUT");
  CHECK(world.clock.Now() - start == absl::Seconds(3));
  CHECK_OK(world.Enter(0.1));
  CHECK(world.clock.Now() - start == absl::Seconds(10));
}

TEST_CASE("a wait for a turn ends when the run is cancelled") {
  SystemClock clock;
  HostGate gate(clock);
  absl::Notification stop;
  REQUIRE_OK(gate.Enter(kHost, 0.001, absl::InfiniteFuture(), stop));
  std::thread canceller([&] { stop.Notify(); });
  CHECK(Reason(gate.Enter(kHost, 0.001, absl::InfiniteFuture(), stop)) == "CANCELLED");
  canceller.join();
}

}  // namespace
}  // namespace chartly::drone
