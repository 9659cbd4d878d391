#include "drone/pipeline/governor.h"

#include <memory>
#include <thread>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

struct World {
  FakeClock clock;
  ProcessUsage usage{absl::ZeroDuration(), 50 << 20};
  std::atomic<bool> cancelled{false};
  const absl::Time start = clock.Now();
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

TEST_CASE("memory is promised before it is taken, to all runs together no more than there is") {
  World world;
  Governor governor = world.Make(0, 64 << 20);
  Governor::Share first(&governor);
  Governor::Share second(&governor);
  CHECK_OK(first.Grow(6 << 20, world.cancelled));
  CHECK_OK(second.Grow(7 << 20, world.cancelled));
  CHECK(Reason(first.Grow(2 << 20, world.cancelled)) == "CONSENT_DENIED");
  CHECK(world.clock.Now() - world.start >= absl::Seconds(30));
  second.Settle();
  CHECK_OK(first.Grow(2 << 20, world.cancelled));
  CHECK_OK(second.Grow(6 << 20, world.cancelled));
  first.Settle();
  Governor::Share third(&governor);
  CHECK_OK(third.Grow(8 << 20, world.cancelled));
}

TEST_CASE("a run alone goes on while the process holds what it may, and is promised no more than a run can take") {
  World world;
  Governor governor = world.Make(0, 64 << 20);
  Governor::Share share(&governor);
  CHECK_OK(share.Grow(100 << 20, world.cancelled));
  CHECK_OK(share.Grow(100 << 20, world.cancelled));
  {
    Governor::Share another(&governor);
    CHECK(Reason(another.Grow(1 << 20, world.cancelled)) == "CONSENT_DENIED");
  }
  world.usage.memory_bytes = 65 << 20;
  CHECK(Reason(share.Grow(1 << 20, world.cancelled)) == "CONSENT_DENIED");
}

TEST_CASE("a run that waits for memory goes on when another has ended, and no longer when it is cancelled") {
  World world;
  world.usage.memory_bytes = 60 << 20;
  Governor governor(0, 64 << 20, world.clock, [&] {
    if (world.clock.Now() > world.start + absl::Seconds(1)) world.usage.memory_bytes = 50 << 20;
    return world.usage;
  });
  Governor::Share share(&governor);
  Governor::Share other(&governor);
  CHECK_OK(share.Grow(8 << 20, world.cancelled));
  CHECK(world.clock.Now() - world.start > absl::Seconds(1));
  CHECK(world.clock.Now() - world.start < absl::Seconds(2));
  world.cancelled = true;
  CHECK(absl::IsCancelled(other.Grow(8 << 20, world.cancelled)));
  CHECK(world.clock.Now() - world.start < absl::Seconds(2));
}

TEST_CASE("where all runs wait for each other, the one that began last gives way") {
  World world;
  SystemClock clock;
  std::atomic<int64_t> held = 60 << 20;
  Governor governor(0, 64 << 20, clock, [&] { return ProcessUsage{absl::ZeroDuration(), held}; });
  auto first = std::make_unique<Governor::Share>(&governor);
  auto last = std::make_unique<Governor::Share>(&governor);
  std::string last_reason;
  std::thread thread([&] {
    last_reason = Reason(last->Grow(8 << 20, world.cancelled));
    held = 50 << 20;
    last.reset();
  });
  const absl::Time start = clock.Now();
  CHECK_OK(first->Grow(8 << 20, world.cancelled));
  CHECK(clock.Now() - start < absl::Seconds(20));
  thread.join();
  CHECK(last_reason == "CONSENT_DENIED");
}

TEST_CASE("where memory has no limit nothing is counted") {
  World world;
  Governor governor = world.Make(0);
  Governor::Share share(&governor);
  CHECK_OK(share.Grow(int64_t{1} << 40, world.cancelled));
  CHECK_OK(Governor::Share(nullptr).Grow(int64_t{1} << 40, world.cancelled));
}

TEST_CASE("this process takes some time and holds some memory") {
  ProcessUsage usage = UsageOfThisProcess();
  CHECK(usage.cpu > absl::ZeroDuration());
  CHECK(usage.memory_bytes > 1 << 20);
}

}  // namespace
}  // namespace chartly::drone
