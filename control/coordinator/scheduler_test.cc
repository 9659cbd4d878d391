#include "control/coordinator/scheduler.h"

#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

ProfileSchedule Hourly() {
  ProfileSchedule schedule;
  schedule.interval = absl::Hours(1);
  return schedule;
}

ProfileHistory RanAt(absl::Time time) {
  ProfileHistory history;
  history.last_scheduled = time;
  history.last_scheduled_run = "r1";
  return history;
}

ProfileHistory FailedAt(absl::Time time, int attempt, const std::string& reason) {
  ProfileHistory history = RanAt(time);
  history.failure = {attempt, reason, kTriggerSchedule, time};
  return history;
}

}  // namespace

TEST_CASE("a profile that never ran is due at once") {
  std::optional<NextRun> next = NextRunOf(Hourly(), {}, kNow);
  REQUIRE(next);
  CHECK(next->due == kNow);
  CHECK(next->attempt == 1);
  CHECK(next->trigger == "schedule");
}

TEST_CASE("a profile is due one interval after its last scheduled run") {
  CHECK(NextRunOf(Hourly(), RanAt(kNow - absl::Minutes(10)), kNow)->due == kNow + absl::Minutes(50));
  CHECK(NextRunOf(Hourly(), RanAt(kNow - absl::Hours(30)), kNow)->due == kNow - absl::Hours(29));
}

TEST_CASE("what came due while a run went on is skipped, or follows at once if the profile queues") {
  ProfileHistory history = RanAt(kNow - absl::Hours(3) - absl::Minutes(30));
  history.last_finished = kNow - absl::Minutes(5);
  ProfileSchedule schedule = Hourly();
  CHECK(NextRunOf(schedule, history, kNow)->due == kNow + absl::Minutes(30));
  schedule.overlap = Overlap::kQueue;
  CHECK(NextRunOf(schedule, history, kNow)->due < kNow);
  // Nothing went on when these came due: no drone, or no control plane.
  history.last_finished = kNow - absl::Hours(3);
  schedule.overlap = Overlap::kSkip;
  CHECK(NextRunOf(schedule, history, kNow)->due < kNow);
}

TEST_CASE("a run that ends when the next is due delays nothing") {
  ProfileHistory history = RanAt(kNow - absl::Hours(1));
  history.last_finished = kNow;
  CHECK(NextRunOf(Hourly(), history, kNow)->due == kNow);
}

TEST_CASE("jitter delays by a part of its bound that a restart does not change") {
  ProfileSchedule schedule = Hourly();
  schedule.jitter = absl::Minutes(5);
  absl::Duration least = absl::Hours(1), most = absl::ZeroDuration();
  for (int i = 0; i < 200; ++i) {
    ProfileHistory history = RanAt(kNow);
    history.last_scheduled_run = "run" + std::to_string(i);
    absl::Duration delay = NextRunOf(schedule, history, kNow)->due - kNow - absl::Hours(1);
    CHECK(delay == NextRunOf(schedule, history, kNow)->due - kNow - absl::Hours(1));
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  CHECK(least >= absl::ZeroDuration());
  CHECK(least < absl::Seconds(30));
  CHECK(most <= absl::Minutes(5));
  CHECK(most > absl::Minutes(4));
}

TEST_CASE("nothing is due while a run is open, or when the schedule is off or paused") {
  ProfileHistory open;
  open.open = true;
  CHECK(!NextRunOf(Hourly(), open, kNow));
  ProfileSchedule off = Hourly();
  off.enabled = false;
  CHECK(!NextRunOf(off, {}, kNow));
  ProfileSchedule paused = Hourly();
  paused.paused = true;
  CHECK(!NextRunOf(paused, {}, kNow));
  CHECK(!NextRunOf(paused, FailedAt(kNow, 1, "DRONE_LOST"), kNow));
}

TEST_CASE("a failed run is retried with growing delays until its attempts are used up") {
  std::optional<NextRun> next = NextRunOf(Hourly(), FailedAt(kNow, 1, "DRONE_LOST"), kNow);
  CHECK(next->due == kNow + absl::Milliseconds(500));
  CHECK(next->attempt == 2);
  CHECK(NextRunOf(Hourly(), FailedAt(kNow, 3, "DRONE_RESTARTED"), kNow)->due == kNow + absl::Seconds(2));
  next = NextRunOf(Hourly(), FailedAt(kNow, 4, "DRONE_LOST"), kNow);
  CHECK(next->attempt == 1);
  CHECK(next->due == kNow + absl::Hours(1));
}

TEST_CASE("what time does not heal, or the drone tried again by itself, waits for the next turn") {
  for (const char* reason : {"PROFILE_INVALID", "PAYLOAD_NOT_JSON", "PAYLOAD_NO_RECORDS", "SOURCE_THROTTLED",
                             "SOURCE_AUTH", "SOURCE_HTTP_STATUS", "SOURCE_CIRCUIT_OPEN", "SOURCE_UNREACHABLE",
                             "SOURCE_TRUNCATED", "SECRET_NOT_FOUND", "PAGINATION_LOOP"}) {
    CHECK(NextRunOf(Hourly(), FailedAt(kNow, 1, reason), kNow)->due == kNow + absl::Hours(1));
  }
}

TEST_CASE("a body that broke off behind rows that were handed on is asked for once more") {
  ProfileHistory history = FailedAt(kNow, 1, "SOURCE_TRUNCATED");
  history.failure->took_rows = true;
  CHECK(NextRunOf(Hourly(), history, kNow)->attempt == 2);
  history.failure->reason = "SOURCE_HTTP_STATUS";
  CHECK(NextRunOf(Hourly(), history, kNow)->attempt == 1);
}

TEST_CASE("a run asked for by a person is retried although the schedule is off") {
  ProfileSchedule off = Hourly();
  off.enabled = false;
  ProfileHistory history;
  history.failure = {1, "DRONE_LOST", "admin", kNow};
  std::optional<NextRun> next = NextRunOf(off, history, kNow);
  REQUIRE(next);
  CHECK(next->trigger == "admin");
  CHECK(next->attempt == 2);
}

TEST_CASE("an end that was noted while the clock was ahead does not put off the next run") {
  ProfileHistory history = RanAt(kNow - absl::Minutes(10));
  history.last_finished = kNow + absl::Hours(30);
  CHECK(NextRunOf(Hourly(), history, kNow)->due == kNow + absl::Minutes(50));
  // Neither is it put off again each time that somebody looks.
  history = RanAt(kNow - absl::Hours(2));
  history.last_finished = kNow + absl::Hours(30);
  CHECK(NextRunOf(Hourly(), history, kNow)->due <= kNow);
}

TEST_CASE("a clock that was set back does not stop the schedule") {
  CHECK(NextRunOf(Hourly(), RanAt(kNow + absl::Hours(24 * 3650)), kNow)->due == kNow);
  CHECK(NextRunOf(Hourly(), FailedAt(kNow + absl::Hours(9), 1, "DRONE_LOST"), kNow)->due <=
        kNow + absl::Milliseconds(500));
}

TEST_CASE("retries wait for their budget, which counts any span of its length") {
  ProfileSchedule schedule = Hourly();
  schedule.retry_budget = {2, absl::Minutes(10)};
  ProfileHistory history = FailedAt(kNow, 1, "DRONE_LOST");
  CHECK(NextRunOf(schedule, history, kNow)->attempt == 2);
  history.retries = {kNow - absl::Minutes(1)};
  CHECK(NextRunOf(schedule, history, kNow)->due == kNow + absl::Milliseconds(500));
  history.retries = {kNow - absl::Minutes(1), kNow - absl::Minutes(7), kNow - absl::Minutes(8)};
  CHECK(NextRunOf(schedule, history, kNow)->attempt == 2);
  CHECK(NextRunOf(schedule, history, kNow)->due == kNow + absl::Minutes(3));
  // The schedule does not wait for it.
  schedule.retry_budget.period = absl::Hours(3);
  CHECK(NextRunOf(schedule, history, kNow)->attempt == 1);
  // What a clock that was set back puts into the future does not count.
  history.retries = {kNow + absl::Hours(5), kNow + absl::Hours(4)};
  CHECK(NextRunOf(schedule, history, kNow)->due == kNow + absl::Milliseconds(500));
}

}  // namespace chartly::coordinator
