#include "drone/fetch/fleet_quota.h"

#include <atomic>
#include <thread>

#include "common/clock/steady_clock.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::Eventually;

// A coordinator whose clock shows something else, and answers without delay.
struct World {
  SteadyClock clock;
  std::atomic<int> wakes = 0;
  FleetQuota quota{clock, [this] { ++wakes; }};
  absl::Notification stop;
  const absl::Duration ahead = absl::Hours(5);
  const FleetRate rate{10, absl::Seconds(1), ""};

  std::thread Enter(absl::Status& status, absl::Time deadline = absl::InfiniteFuture()) {
    return std::thread([this, &status, deadline] { status = quota.Enter("q", rate, clock, deadline, stop); });
  }
  v1::QuotaNeed Need() {
    v1::QuotaReport report;
    REQUIRE(quota.Report(report));
    last = report;
    return report.needs_size() == 0 ? v1::QuotaNeed() : report.needs(0);
  }
  v1::QuotaAnswer Answer() {
    v1::QuotaAnswer answer;
    answer.set_sent_us(last.sent_us());
    answer.set_clock_us(absl::ToUnixMicros(clock.Now() + ahead));
    answer.set_clock_epoch(1);
    answer.add_grants()->set_quota("q");
    return answer;
  }
  // A turn that begins after `from` and lasts for `length`.
  void Give(absl::Duration from, absl::Duration length = absl::Seconds(10)) {
    v1::QuotaAnswer answer = Answer();
    v1::QuotaTurn& turn = *answer.mutable_grants(0)->add_turns();
    turn.set_begin_us(absl::ToUnixMicros(clock.Now() + ahead + from));
    turn.set_end_us(turn.begin_us() + absl::ToInt64Microseconds(length));
    quota.Take(answer);
  }
  v1::QuotaReport last;
};

TEST_CASE("a request waits until its turn has come, and asks for one") {
  World world;
  v1::QuotaReport none;
  CHECK_FALSE(world.quota.Report(none));
  absl::Status status = absl::UnknownError("not yet");
  std::thread request = world.Enter(status);
  REQUIRE(Eventually([&] { return world.wakes == 1; }));
  v1::QuotaNeed need = world.Need();
  CHECK(need.quota() == "q");
  CHECK(need.waiting() == 1);
  CHECK(need.requests() == 10);
  CHECK(need.period_us() == 1'000'000);
  const absl::Time before = world.clock.Now();
  world.Give(absl::Milliseconds(80));
  request.join();
  CHECK_OK(status);
  CHECK(world.clock.Now() - before >= absl::Milliseconds(80));
  CHECK(world.Need().waiting() == 0);
}

TEST_CASE("a turn that went by is not taken, and another is asked for") {
  World world;
  absl::Status status;
  std::thread request = world.Enter(status);
  REQUIRE(Eventually([&] { return world.wakes == 1; }));
  CHECK(world.Need().waiting() == 1);
  world.Give(-absl::Seconds(2), absl::Seconds(1));
  REQUIRE(Eventually([&] { return world.wakes == 2; }));
  CHECK(world.Need().waiting() == 1);
  world.Give(absl::ZeroDuration());
  request.join();
  CHECK_OK(status);
}

TEST_CASE("a cancelled request gives its turn back until that was heard") {
  World world;
  absl::Status status;
  std::thread request = world.Enter(status);
  REQUIRE(Eventually([&] { return world.wakes == 1; }));
  world.Need();
  world.Give(absl::Hours(1));
  world.stop.Notify();
  request.join();
  CHECK(Reason(status) == "CANCELLED");
  CHECK(world.Need().returned_us_size() == 1);
  CHECK(world.Need().returned_us_size() == 1);
  world.quota.Take(world.Answer());
  CHECK(world.Need().returned_us_size() == 0);
}

TEST_CASE("a run whose time is over says which quota held it up") {
  World world;
  absl::Status status;
  world.Enter(status, world.clock.Now() + absl::Milliseconds(20)).join();
  CHECK(Reason(status) == "RUN_TIMEOUT");
  CHECK(std::string(status.message()).find("quota q") != std::string::npos);
}

TEST_CASE("that the source is asked too often is told once, and turns of the pause are void") {
  World world;
  absl::Status status;
  std::thread request = world.Enter(status);
  REQUIRE(Eventually([&] { return world.wakes == 1; }));
  world.Need();
  world.Give(absl::Minutes(1));
  CHECK(world.Need().waiting() == 0);
  world.quota.Throttled("q", world.rate, absl::Seconds(7));
  v1::QuotaNeed need = world.Need();
  CHECK(need.throttled() == 1);
  CHECK(need.retry_after_us() == 7'000'000);
  v1::QuotaAnswer answer = world.Answer();
  answer.mutable_grants(0)->set_paused_until_us(absl::ToUnixMicros(world.clock.Now() + world.ahead + absl::Hours(1)));
  world.quota.Take(answer);
  need = world.Need();
  CHECK(need.throttled() == 0);
  CHECK(need.waiting() == 1);
  world.stop.Notify();
  request.join();
}

TEST_CASE("a slow answer does not loosen what a quick one showed of the coordinator's clock") {
  World world;
  absl::Status status;
  std::thread request = world.Enter(status);
  REQUIRE(Eventually([&] { return world.wakes == 1; }));
  world.Need();
  world.quota.Take(world.Answer());
  v1::QuotaReport report;
  REQUIRE(world.quota.Report(report));
  const int64_t quick = report.uncertainty_us();
  // As if it had been sent three seconds before it was answered.
  v1::QuotaAnswer slow = world.Answer();
  slow.set_sent_us(slow.sent_us() - 3'000'000);
  world.quota.Take(slow);
  REQUIRE(world.quota.Report(report));
  CHECK(report.uncertainty_us() <= quick + 1000);
  world.stop.Notify();
  request.join();
}

TEST_CASE("limits of more than the protocol takes become as many in less time") {
  World world;
  world.quota.Throttled("q", {5000, absl::Hours(1), ""}, absl::ZeroDuration());
  v1::QuotaNeed need = world.Need();
  CHECK(need.requests() == 1000);
  CHECK(need.period_us() == absl::ToInt64Microseconds(absl::Minutes(12)));
}

}  // namespace
}  // namespace chartly::drone
