#include "control/coordinator/coordinator.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/stored_coordinator_test.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

v1::Profile ProfileOf(const std::string& id, int64_t generation = 1) {
  v1::Profile profile;
  profile.set_id(id);
  profile.set_revision(absl::StrCat("sha256:", generation));
  profile.set_content(absl::StrCat("id: ", id, "\n# ", generation, "\n"));
  profile.set_enabled(true);
  profile.mutable_interval()->set_seconds(3600);
  profile.set_generation(generation);
  return profile;
}

// A coordinator on real state, with time that the test moves and beats that it sends.
class Fixture : public StoredCoordinator {
 public:
  using StoredCoordinator::StoredCoordinator;
  int64_t Register(const std::string& id, int capacity = 4) {
    v1::RegisterDroneRequest request;
    request.set_drone_id(id);
    request.set_capacity(capacity);
    absl::StatusOr<v1::Drone> drone = coordinator->RegisterDrone(request);
    REQUIRE_OK(drone);
    return drone->epoch();
  }
  absl::StatusOr<v1::HeartbeatResponse> Beat(const std::string& id, int64_t epoch,
                                             const std::vector<v1::RunProgress>& runs = {}, int64_t spool_bytes = 0) {
    v1::HeartbeatRequest request;
    request.set_drone_id(id);
    request.set_epoch(epoch);
    request.set_spool_bytes(spool_bytes);
    for (const v1::RunProgress& run : runs) *request.add_runs() = run;
    return coordinator->Heartbeat(request);
  }
  std::vector<v1::Run> Runs() {
    int64_t next = 0;
    return coordinator->ListRuns(INT64_MAX, 1000, "", "", next);
  }
  v1::Run Newest() {
    REQUIRE(!Runs().empty());
    return Runs().front();
  }
  v1::Run Get(const std::string& id) { return *coordinator->GetRun(id); }
};

v1::RunProgress Progress(const std::string& run_id, int64_t fetched, bool finished = false) {
  v1::RunProgress progress;
  progress.set_run_id(run_id);
  progress.set_fetched(fetched);
  progress.set_finished(finished);
  return progress;
}

v1::RunLedger Ledger(const std::string& run_id, int64_t stored, int64_t quarantined = 0) {
  v1::RunLedger ledger;
  ledger.set_run_id(run_id);
  ledger.mutable_balance()->set_stored(stored);
  ledger.mutable_balance()->set_quarantined(quarantined);
  return ledger;
}

v1::RunLedger EndedLedger(const std::string& run_id, int64_t fetched, int64_t stored, int64_t quarantined = 0,
                          const std::string& reason = "") {
  v1::RunLedger ledger = Ledger(run_id, stored, quarantined);
  ledger.mutable_end()->set_run_id(run_id);
  ledger.mutable_end()->set_fetched(fetched);
  ledger.mutable_end()->set_error_reason(reason);
  return ledger;
}

// A run of profile p that drone d was ordered to do.
std::string OrderedRun(Fixture& fixture, int64_t epoch) {
  fixture.coordinator->SetProfile(ProfileOf("p"));
  REQUIRE_OK(fixture.coordinator->Tick());
  absl::StatusOr<v1::HeartbeatResponse> answer = fixture.Beat("d", epoch);
  REQUIRE_OK(answer);
  REQUIRE(answer->orders_size() == 1);
  return answer->orders(0).run_id();
}

}  // namespace

TEST_CASE("a profile that is broken stays so while the next run is under way") {
  Fixture fixture;
  const int64_t epoch = fixture.Register("d");
  const std::string failed = OrderedRun(fixture, epoch);
  fixture.coordinator->TakeLedger(EndedLedger(failed, 0, 0, 0, "SOURCE_AUTH_REFUSED"));
  const auto status = [&] { return *fixture.coordinator->GetProfileStatus("p"); };
  CHECK(status().health() == v1::PROFILE_HEALTH_BROKEN);
  absl::StatusOr<v1::Run> next = fixture.coordinator->ScheduleRun("p", "admin");
  REQUIRE_OK(next);
  CHECK(status().last_run().run_id() == next->run_id());
  CHECK(status().health() == v1::PROFILE_HEALTH_BROKEN);
  CHECK(status().cause() == v1::BROKEN_CAUSE_AUTH);
  REQUIRE_OK(fixture.Beat("d", epoch));
  CHECK(status().cause() == v1::BROKEN_CAUSE_AUTH);
  fixture.coordinator->TakeLedger(EndedLedger(next->run_id(), 8, 8));
  CHECK(status().health() == v1::PROFILE_HEALTH_FRESH);
  CHECK(status().cause() == v1::BROKEN_CAUSE_UNSPECIFIED);
}

TEST_CASE("each registration gives a higher epoch and fences the one before, over restarts too") {
  Fixture fixture;
  CHECK(fixture.Register("d") == 1);
  CHECK(fixture.Register("d") == 2);
  CHECK(Reason(fixture.Beat("d", 1).status()) == "EPOCH_FENCED");
  CHECK(fixture.Beat("d", 1).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_OK(fixture.Beat("d", 2));
  CHECK_OK(fixture.Beat("d", 0));
  fixture.Open();
  CHECK_OK(fixture.Beat("d", 2));
  CHECK(fixture.Register("d") == 3);
  CHECK(fixture.Beat("stranger", 1).status().code() == absl::StatusCode::kNotFound);
  CHECK(fixture.Beat("d", 9).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a due run goes from scheduled to running to succeeded with a closed balance") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d");
  std::string id = OrderedRun(fixture, epoch);
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_SCHEDULED);
  CHECK(fixture.Get(id).trigger() == "schedule");

  absl::StatusOr<v1::HeartbeatResponse> again = fixture.Beat("d", epoch);
  REQUIRE(again->orders_size() == 1);  // repeated until it is reported
  CHECK(again->orders(0).content() == "id: p\n# 1\n");
  CHECK(again->orders(0).revision() == "profiles/p@sha256:1");

  CHECK(fixture.Beat("d", epoch, {Progress(id, 7)})->orders_size() == 0);
  fixture.coordinator->TakeLedger(Ledger(id, 4, 1));
  v1::Run run = fixture.Get(id);
  CHECK(run.status() == v1::RUN_STATUS_RUNNING);
  CHECK(run.balance().fetched() == 7);
  CHECK(run.balance().in_spool() == 2);
  CHECK(run.balance().closed());

  fixture.clock.Advance(absl::Seconds(2));
  fixture.coordinator->TakeLedger(EndedLedger(id, 8, 8));
  run = fixture.Get(id);
  CHECK(run.status() == v1::RUN_STATUS_SUCCEEDED);
  CHECK(run.balance().closed());
  CHECK(run.balance().in_spool() == 0);
  CHECK(run.rows_out() == 8);
  CHECK(run.duration_ms() == 2000);
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 1);  // not due again yet

  fixture.clock.Advance(absl::Hours(1));
  REQUIRE_OK(fixture.Beat("d", epoch));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 2);
}

TEST_CASE("the end of a run decides its state") {
  Fixture fixture;
  std::string id = OrderedRun(fixture, fixture.Register("d"));
  auto [ended, status, reason] = GENERATE(table<v1::RunLedger, v1::RunStatus, std::string>({
      {EndedLedger("", 3, 3), v1::RUN_STATUS_SUCCEEDED, ""},
      {EndedLedger("", 3, 1, 2), v1::RUN_STATUS_PARTIAL, "ROWS_QUARANTINED"},
      {EndedLedger("", 3, 1), v1::RUN_STATUS_PARTIAL, "BALANCE_OPEN"},
      {EndedLedger("", 3, 3, 0, "SOURCE_UNREACHABLE"), v1::RUN_STATUS_FAILED, "SOURCE_UNREACHABLE"},
      {EndedLedger("", 3, 1, 0, "SPOOL_DAMAGED"), v1::RUN_STATUS_FAILED, "SPOOL_DAMAGED"},
      {EndedLedger("", 1, 3, 0, "SPOOL_DAMAGED"), v1::RUN_STATUS_FAILED, "SPOOL_DAMAGED"},
  }));
  v1::RunLedger ledger = ended;
  ledger.set_run_id(id);
  fixture.coordinator->TakeLedger(ledger);
  CHECK(fixture.Get(id).status() == status);
  CHECK(fixture.Get(id).error_reason() == reason);
  CHECK(fixture.Get(id).balance().closed() == (reason != "BALANCE_OPEN"));
  // Only the drone can know that its disk lost rows, or the count of rows that arrived.
  bool damaged = reason == "SPOOL_DAMAGED";
  CHECK(fixture.Get(id).balance().fetched() == (damaged ? 3 : ended.end().fetched()));
  CHECK(fixture.Get(id).balance().lost() == (damaged ? 3 - ended.balance().stored() : 0));
}

TEST_CASE("a truncated run is partial and a cancelled one cancelled") {
  Fixture fixture;
  std::string id = OrderedRun(fixture, fixture.Register("d"));
  v1::RunLedger ledger = EndedLedger(id, 3, 3);
  bool cancelled = GENERATE(false, true);
  ledger.mutable_end()->set_truncated(true);
  ledger.mutable_end()->set_cancelled(cancelled);
  fixture.coordinator->TakeLedger(ledger);
  CHECK(fixture.Get(id).status() == (cancelled ? v1::RUN_STATUS_CANCELLED : v1::RUN_STATUS_PARTIAL));
}

TEST_CASE("a restart keeps runs, their order and the schedule") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d");
  std::string id = OrderedRun(fixture, epoch);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));
  fixture.Open();
  fixture.coordinator->SetProfile(ProfileOf("p"));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 1);
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_RUNNING);
  // A run that its drone reported is not ordered again, though all of memory went.
  CHECK(fixture.Beat("d", epoch, {Progress(id, 6, true)})->orders_size() == 0);
  fixture.coordinator->TakeLedger(EndedLedger(id, 6, 6));
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.Open();
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_SUCCEEDED);
  CHECK(fixture.Get(id).balance().stored() == 6);
  fixture.coordinator->SetProfile(ProfileOf("p"));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 1);
}

TEST_CASE("work of a lost drone goes to another, and a late end is the final truth") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d");
  std::string id = OrderedRun(fixture, epoch);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));
  fixture.clock.Advance(absl::Seconds(7));
  int64_t other = fixture.Register("e");
  REQUIRE_OK(fixture.coordinator->Tick());
  v1::Run lost = fixture.Get(id);
  CHECK(lost.status() == v1::RUN_STATUS_FAILED);
  CHECK(lost.error_reason() == "DRONE_LOST");
  CHECK(fixture.coordinator->GetDrone("d")->state() == v1::DRONE_STATE_OFFLINE);
  CHECK(fixture.coordinator->DroneStats().offline() == 1);

  fixture.clock.Advance(absl::Seconds(1));
  REQUIRE_OK(fixture.Beat("e", other));
  REQUIRE_OK(fixture.coordinator->Tick());
  v1::Run retry = fixture.Newest();
  CHECK(retry.attempt() == 2);
  CHECK(retry.drone_id() == "e");

  std::vector<std::string> asked = fixture.coordinator->RunsAwaitingLedger();
  CHECK(std::count(asked.begin(), asked.end(), id) == 1);
  fixture.coordinator->TakeLedger(EndedLedger(id, 5, 5));
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_SUCCEEDED);
  CHECK(fixture.Get(id).error_reason().empty());
  asked = fixture.coordinator->RunsAwaitingLedger();
  CHECK(std::count(asked.begin(), asked.end(), id) == 0);
}

TEST_CASE("the ledger is asked for a run when there may be news of it, and else once a second") {
  Fixture fixture;
  const int64_t epoch = fixture.Register("d");
  fixture.coordinator->SetProfile(ProfileOf("p"));
  REQUIRE_OK(fixture.coordinator->Tick());
  const std::string id = fixture.Newest().run_id();
  // Steps of a quarter of a second, as with a heartbeat a second; says how often they asked.
  auto steps = [&](int count) {
    size_t asked = 0;
    for (int i = 0; i < count; ++i) {
      asked += fixture.coordinator->RunsAwaitingLedger().size();
      fixture.clock.Advance(absl::Milliseconds(250));
    }
    return asked;
  };
  CHECK(steps(4) == 0);  // nobody was told of it
  REQUIRE(fixture.Beat("d", epoch)->orders_size() == 1);
  CHECK(steps(8) == 2);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));
  CHECK(steps(1) == 1);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));  // nothing new
  CHECK(steps(3) == 0);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 8)}));
  CHECK(steps(4) == 1);
  // Its end is on the way, and comes soon, or when the drone reaches the aggregator again.
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 9, true)}));
  CHECK(steps(4) >= 3);
  steps(4);
  CHECK(steps(8) == 2);
  fixture.coordinator->TakeLedger(EndedLedger(id, 9, 9));
  CHECK(steps(8) == 0);
}

TEST_CASE("the end of a lost run is asked for over an hour that no clock of the wall cuts short") {
  FakeClock steady;
  CoordinatorOptions options;
  options.steady = &steady;
  Fixture fixture(options);
  const int64_t epoch = fixture.Register("d");
  const std::string id = OrderedRun(fixture, epoch);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));
  steady.Advance(absl::Seconds(7));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Get(id).error_reason() == "DRONE_LOST");
  auto asked = [&] {
    const std::vector<std::string> ids = fixture.coordinator->RunsAwaitingLedger();
    return std::count(ids.begin(), ids.end(), id) > 0;
  };
  CHECK(asked());
  fixture.clock.Advance(absl::Hours(2));
  steady.Advance(absl::Minutes(50));
  CHECK(asked());
  fixture.clock.Advance(-absl::Hours(4));
  steady.Advance(absl::Minutes(11));
  CHECK_FALSE(asked());
}

TEST_CASE("the schedule does not go by the clock of a drone") {
  Fixture fixture;
  const int64_t epoch = fixture.Register("d");
  const std::string id = OrderedRun(fixture, epoch);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 1)}));
  const absl::Time begun = fixture.clock.Now();
  fixture.clock.Advance(absl::Seconds(3));
  const absl::Duration off = GENERATE(absl::ZeroDuration(), absl::Seconds(20), absl::Minutes(50), absl::Hours(30),
                                      -absl::Seconds(20), -absl::Hours(2));
  INFO(off);
  v1::RunLedger ledger = EndedLedger(id, 1, 1);
  *ledger.mutable_end()->mutable_started_at() = ToTimestamp(begun + absl::Seconds(1) + off);
  *ledger.mutable_end()->mutable_finished_at() = ToTimestamp(begun + absl::Seconds(3) + off);
  fixture.coordinator->TakeLedger(ledger);
  const v1::Run run = fixture.Get(id);
  CHECK(FromTimestamp(run.started_at()) == begun + absl::Seconds(1));
  CHECK(FromTimestamp(run.finished_at()) == begun + absl::Seconds(3));
  CHECK(run.duration_ms() == 2000);
  // An hour after the last, as its profile says.
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(FromTimestamp(fixture.coordinator->GetProfileStatus("p")->next_run_time()) ==
        FromTimestamp(run.create_time()) + absl::Hours(1));
}

TEST_CASE("a clock of a drone that jumps in a run makes it neither long nor end before it began") {
  Fixture fixture;
  const int64_t epoch = fixture.Register("d");
  const std::string id = OrderedRun(fixture, epoch);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 1)}));
  const absl::Time begun = fixture.clock.Now();
  fixture.clock.Advance(absl::Seconds(3));
  const absl::Duration jump = GENERATE(absl::Hours(2), -absl::Hours(2));
  v1::RunLedger ledger = EndedLedger(id, 1, 1);
  *ledger.mutable_end()->mutable_started_at() = ToTimestamp(begun);
  *ledger.mutable_end()->mutable_finished_at() = ToTimestamp(begun + absl::Seconds(3) + jump);
  fixture.coordinator->TakeLedger(ledger);
  const v1::Run run = fixture.Get(id);
  CHECK(FromTimestamp(run.started_at()) >= begun);
  CHECK(FromTimestamp(run.finished_at()) == begun + absl::Seconds(3));
  CHECK(run.duration_ms() <= 3000);
}

TEST_CASE("a run that was never ordered moves, one that may have begun is replaced") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d");
  fixture.coordinator->SetProfile(ProfileOf("p"));
  REQUIRE_OK(fixture.coordinator->Tick());
  std::string id = fixture.Newest().run_id();
  bool ordered = GENERATE(false, true);
  if (ordered) CHECK(fixture.Beat("d", epoch)->orders_size() == 1);
  fixture.clock.Advance(absl::Seconds(7));
  int64_t other = fixture.Register("e");
  REQUIRE_OK(fixture.coordinator->Tick());
  v1::Run newest = fixture.Newest();
  CHECK((newest.run_id() == id) == !ordered);
  CHECK(newest.attempt() == 1);
  CHECK(newest.drone_id() == "e");
  CHECK(fixture.Beat("e", other)->orders_size() == 1);
  if (ordered) CHECK(fixture.Get(id).error_reason() == "DRONE_LOST");
}

TEST_CASE("a drone that comes back gets time to send the end of its runs") {
  Fixture fixture;
  std::string id = OrderedRun(fixture, fixture.Register("d"));
  REQUIRE_OK(fixture.Beat("d", 1, {Progress(id, 5)}));
  int64_t epoch = fixture.Register("d");
  auto beat_for = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      fixture.clock.Advance(absl::Seconds(1));
      REQUIRE_OK(fixture.Beat("d", epoch));
      REQUIRE_OK(fixture.coordinator->Tick());
    }
  };
  beat_for(50);
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_RUNNING);
  bool spool_comes = GENERATE(true, false);
  if (spool_comes) fixture.coordinator->TakeLedger(EndedLedger(id, 5, 5, 0, "DRONE_RESTARTED"));
  beat_for(12);
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_FAILED);
  CHECK(fixture.Get(id).error_reason() == (spool_comes ? "DRONE_RESTARTED" : "DRONE_LOST"));
  beat_for(1);
  CHECK(fixture.Newest().attempt() == 2);
}

TEST_CASE("a run that its drone no longer knows does not block its profile") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d");
  std::string id = OrderedRun(fixture, epoch);
  REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));
  int64_t spool_bytes = GENERATE(0, 100);
  for (int i = 0; i < 80; ++i) {
    fixture.clock.Advance(absl::Seconds(1));
    REQUIRE_OK(fixture.Beat("d", epoch, {}, spool_bytes));
    REQUIRE_OK(fixture.coordinator->Tick());
  }
  CHECK((fixture.Get(id).status() == v1::RUN_STATUS_RUNNING) == (spool_bytes > 0));
}

TEST_CASE("capacity and draining bound what a drone is given") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d", /*capacity=*/2);
  for (int i = 0; i < 5; ++i) fixture.coordinator->SetProfile(ProfileOf(absl::StrCat("p", i)));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 5);
  absl::StatusOr<v1::HeartbeatResponse> answer = fixture.Beat("d", epoch);
  REQUIRE(answer->orders_size() == 2);
  std::string done = answer->orders(0).run_id();
  fixture.coordinator->TakeLedger(EndedLedger(done, 0, 0));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Beat("d", epoch)->orders_size() == 2);

  REQUIRE_OK(fixture.coordinator->DrainDrone("d"));
  REQUIRE_OK(fixture.coordinator->DrainDrone("d"));
  CHECK(fixture.coordinator->GetDrone("d")->state() == v1::DRONE_STATE_DRAINING);
  answer = fixture.Beat("d", epoch);
  CHECK(answer->orders_size() == 2);  // it may have begun them
  for (const v1::RunOrder& order : answer->orders()) {
    fixture.coordinator->TakeLedger(EndedLedger(order.run_id(), 0, 0));
  }
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Beat("d", epoch)->orders_size() == 0);
  fixture.Open();
  CHECK(fixture.coordinator->GetDrone("d")->state() == v1::DRONE_STATE_DRAINING);
}

TEST_CASE("a scheduled run is cancelled at once, a running one when its end arrives") {
  Fixture fixture;
  int64_t epoch = fixture.Register("d");
  std::string id = OrderedRun(fixture, epoch);
  bool running = GENERATE(false, true);
  if (running) REQUIRE_OK(fixture.Beat("d", epoch, {Progress(id, 5)}));
  absl::StatusOr<v1::Run> cancelled = fixture.coordinator->CancelRun(id);
  REQUIRE_OK(cancelled);
  CHECK(cancelled->status() == (running ? v1::RUN_STATUS_RUNNING : v1::RUN_STATUS_CANCELLED));
  // It began after all, or has not heard yet: it is told to stop until it does.
  absl::StatusOr<v1::HeartbeatResponse> answer = fixture.Beat("d", epoch, {Progress(id, 6)});
  REQUIRE(answer->cancel_run_ids_size() == 1);
  CHECK(answer->cancel_run_ids(0) == id);
  v1::RunLedger end = EndedLedger(id, 6, 6);
  end.mutable_end()->set_cancelled(true);
  fixture.coordinator->TakeLedger(end);
  CHECK(fixture.Get(id).status() == v1::RUN_STATUS_CANCELLED);
  CHECK(fixture.Get(id).balance().stored() == 6);
  CHECK(fixture.Get(id).balance().closed());
  CHECK(Reason(fixture.coordinator->CancelRun(id).status()) == "RUN_FINAL");
  fixture.clock.Advance(absl::Seconds(5));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 1);  // a cancelled run is not retried
}

TEST_CASE("a run can be asked for although its profile is off, not for an unknown one") {
  Fixture fixture;
  v1::Profile off = ProfileOf("p");
  off.set_enabled(false);
  off.set_paused(true);
  fixture.coordinator->SetProfile(off);
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().empty());
  absl::StatusOr<v1::Run> run = fixture.coordinator->ScheduleRun("p", "admin");
  REQUIRE_OK(run);
  CHECK(run->trigger() == "admin");
  CHECK(run->drone_id().empty());  // waits for a drone
  int64_t epoch = fixture.Register("d");
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Beat("d", epoch)->orders_size() == 1);
  CHECK(fixture.coordinator->ScheduleRun("q", "admin").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a run done elsewhere is kept as posted and may be posted again") {
  Fixture fixture;
  v1::CreateRunRequest request;
  request.set_profile_id("legacy");
  request.set_run_id("3f2b-A:1");
  request.set_drone_id("script");
  request.set_status(v1::RUN_STATUS_SUCCEEDED);
  request.set_rows_out(12);
  request.set_duration_ms(340);
  REQUIRE_OK(fixture.coordinator->RecordRun(request));
  request.set_rows_out(13);
  REQUIRE_OK(fixture.coordinator->RecordRun(request));
  fixture.Open();
  REQUIRE(fixture.Runs().size() == 1);
  CHECK(fixture.Newest().rows_out() == 13);
  CHECK(fixture.Newest().duration_ms() == 340);
  request.set_profile_id("other");
  CHECK(Reason(fixture.coordinator->RecordRun(request).status()) == "RUN_EXISTS");
  request.set_run_id("a/b");
  CHECK(Reason(fixture.coordinator->RecordRun(request).status()) == "RUN_INVALID");
}

TEST_CASE("pages of runs go on where the last ended, newest first, filtered") {
  Fixture fixture;
  for (int i = 0; i < 25; ++i) {
    v1::CreateRunRequest request;
    request.set_profile_id(i % 2 == 0 ? "even" : "odd");
    request.set_run_id(absl::StrCat("r", i));
    request.set_status(v1::RUN_STATUS_SUCCEEDED);
    REQUIRE_OK(fixture.coordinator->RecordRun(request));
  }
  std::vector<std::string> seen;
  int64_t next = INT64_MAX;
  while (next != 0) {
    for (const v1::Run& run : fixture.coordinator->ListRuns(next, 5, "even", "", next)) seen.push_back(run.run_id());
  }
  REQUIRE(seen.size() == 13);
  CHECK(seen.front() == "r24");
  CHECK(seen.back() == "r0");
}

TEST_CASE("history is bounded, and a pruned run does not make its profile due again") {
  CoordinatorOptions options;
  options.runs_max = 10;
  Fixture fixture(options);
  std::string id = OrderedRun(fixture, fixture.Register("d"));
  fixture.coordinator->TakeLedger(EndedLedger(id, 1, 1));
  for (int i = 0; i < 40; ++i) {
    v1::CreateRunRequest request;
    request.set_profile_id("legacy");
    request.set_run_id(absl::StrCat("r", i));
    request.set_status(v1::RUN_STATUS_FAILED);
    REQUIRE_OK(fixture.coordinator->RecordRun(request));
  }
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 10);
  fixture.Open();
  CHECK(fixture.Runs().size() == 10);
  CHECK(fixture.Newest().run_id() == "r39");
  fixture.coordinator->SetProfile(ProfileOf("p"));
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Runs().size() == 10);
  CHECK(fixture.coordinator->GetProfileStatus("p")->last_success().run_id() == id);
}

TEST_CASE("the status of a profile tells its last and next run and its drone") {
  Fixture fixture;
  std::string id = OrderedRun(fixture, fixture.Register("d"));
  absl::StatusOr<v1::ProfileStatus> status = fixture.coordinator->GetProfileStatus("p");
  REQUIRE_OK(status);
  CHECK(status->last_run().run_id() == id);
  CHECK(!status->has_last_success());
  CHECK(status->drone_id() == "d");
  CHECK(FromTimestamp(status->next_run_time()) == fixture.clock.Now() + absl::Hours(1));
  CHECK(fixture.coordinator->DroneWork("d")->assignments_size() == 1);
  CHECK(fixture.coordinator->GetProfileStatus("q").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a deleted profile makes no more runs and its waiting ones are cancelled") {
  Fixture fixture;
  fixture.coordinator->SetProfile(ProfileOf("p"));
  fixture.coordinator->SetProfile(ProfileOf("q"));
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.coordinator->RetainProfiles({"q"});
  fixture.clock.Advance(absl::Hours(2));
  REQUIRE_OK(fixture.coordinator->Tick());
  int cancelled = 0;
  for (const v1::Run& run : fixture.Runs()) {
    cancelled += run.profile_id() == "p" && run.status() == v1::RUN_STATUS_CANCELLED ? 1 : 0;
  }
  CHECK(cancelled == 1);
  CHECK(fixture.Runs().size() == 2);
}

}  // namespace chartly::coordinator
