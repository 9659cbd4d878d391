#include "drone/pipeline/governor.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

struct World {
  FakeClock clock;
  ProcessUsage usage{absl::ZeroDuration(), 50 << 20};
  std::atomic<bool> cancelled{false};
  Governor Make(double cores, int64_t memory_bytes = 0) {
    return Governor(cores, memory_bytes, clock, [this] { return usage; });
  }
};

TEST_CASE("processor time is paid for by waiting") {
  World world;
  Governor governor = world.Make(0.25);
  absl::Time start = world.clock.Now();
  absl::Duration worked;
  for (int i = 0; i < 1000; ++i) {
    world.usage.cpu += absl::Milliseconds(10);
    world.clock.Advance(absl::Milliseconds(10));
    worked += absl::Milliseconds(10);
    CHECK_OK(governor.Admit(world.cancelled));
  }
  double share = absl::FDivDuration(worked, world.clock.Now() - start);
  CHECK(share > 0.24);
  CHECK(share < 0.26);
}

TEST_CASE("a drone that rested may work at once for a moment, not for longer") {
  World world;
  Governor governor = world.Make(0.5);
  world.clock.Advance(absl::Hours(1));
  CHECK_OK(governor.Admit(world.cancelled));
  absl::Time start = world.clock.Now();
  world.usage.cpu += absl::Milliseconds(200);
  CHECK_OK(governor.Admit(world.cancelled));
  CHECK(world.clock.Now() == start);
  world.usage.cpu += absl::Milliseconds(200);
  CHECK_OK(governor.Admit(world.cancelled));
  CHECK(world.clock.Now() - start == absl::Milliseconds(400));
}

TEST_CASE("a run that is cancelled waits no longer, and no limit is no wait") {
  World world;
  world.usage.cpu += absl::Hours(1);
  Governor limited = world.Make(0.1);
  world.usage.cpu += absl::Hours(1);
  world.cancelled = true;
  absl::Time start = world.clock.Now();
  CHECK_OK(limited.Admit(world.cancelled));
  world.cancelled = false;
  Governor unlimited = world.Make(0);
  world.usage.cpu += absl::Hours(1);
  CHECK_OK(unlimited.Admit(world.cancelled));
  CHECK(world.clock.Now() == start);
}

TEST_CASE("more memory than is allowed ends what wants to go on") {
  World world;
  Governor governor = world.Make(0, 64 << 20);
  CHECK_OK(governor.Admit(world.cancelled));
  world.usage.memory_bytes = 65 << 20;
  CHECK(Reason(governor.Admit(world.cancelled)) == "CONSENT_DENIED");
  world.usage.memory_bytes = 64 << 20;
  CHECK_OK(governor.Admit(world.cancelled));
}

TEST_CASE("this process takes some time and holds some memory") {
  ProcessUsage usage = UsageOfThisProcess();
  CHECK(usage.cpu > absl::ZeroDuration());
  CHECK(usage.memory_bytes > 1 << 20);
}

}  // namespace
}  // namespace chartly::drone
