// Backfills by the coordinator: runs of partitions beside what profiles do by themselves.
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/stored_coordinator_test.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

const char kPlaces[] = "  query: {from: \"{partition.start}\"}\n  partition: {window: 1d}\n";

v1::Profile ProfileOf(const std::string& places, const std::string& retry, int64_t generation = 1) {
  v1::Profile profile;
  profile.set_id("p");
  profile.set_revision(absl::StrCat("sha256:", generation));
  profile.set_content(absl::StrCat("id: p\nversion: 1.0.", generation,
                                   "\nsource:\n  type: http_rest\n  url: https://api.example.gov/d\n", places,
                                   "retry: ", retry, "\nmapping: {a: dims.a}\n"));
  profile.set_enabled(false);
  profile.set_generation(generation);
  return profile;
}

v1::CreateBackfillRequest Days(int count, int at_most = 1) {
  v1::CreateBackfillRequest request;
  request.set_profile_id("p");
  request.mutable_start_time()->set_seconds(86400 * 19000);
  request.mutable_end_time()->set_seconds(86400 * (19000 + count));
  request.set_at_most(at_most);
  return request;
}

// A coordinator on real state with one drone; time and beats are the test's.
class Fixture : public StoredCoordinator {
 public:
  void Use(const std::string& places = kPlaces, const std::string& retry = "{max_attempts: 3, backoff: 1s}",
           int64_t generation = 1) {
    coordinator->SetProfile(ProfileOf(places, retry, generation));
  }
  void Register(int capacity) {
    v1::RegisterDroneRequest request;
    request.set_drone_id("d");
    request.set_capacity(capacity);
    absl::StatusOr<v1::Drone> drone = coordinator->RegisterDrone(request);
    REQUIRE_OK(drone);
    epoch_ = drone->epoch();
  }
  std::string Start(const v1::CreateBackfillRequest& request) {
    absl::StatusOr<v1::Backfill> backfill = coordinator->CreateBackfill("p", request, "boss");
    REQUIRE_OK(backfill);
    return backfill->backfill_id();
  }
  // A step, and the orders that the drone has then.
  std::vector<v1::RunOrder> Orders() {
    REQUIRE_OK(coordinator->Tick());
    v1::HeartbeatRequest request;
    request.set_drone_id("d");
    request.set_epoch(epoch_);
    for (const std::string& id : told_) request.add_runs()->set_run_id(id);
    absl::StatusOr<v1::HeartbeatResponse> answer = coordinator->Heartbeat(request);
    REQUIRE_OK(answer);
    cancelled = {answer->cancel_run_ids().begin(), answer->cancel_run_ids().end()};
    std::vector<v1::RunOrder> orders(answer->orders().begin(), answer->orders().end());
    for (const v1::RunOrder& order : orders) told_.insert(order.run_id());
    return orders;
  }
  void End(const std::string& run_id, const std::string& reason = "", bool stopped = false) {
    told_.erase(run_id);
    v1::RunLedger ledger;
    ledger.set_run_id(run_id);
    ledger.mutable_balance()->set_stored(reason.empty() ? 2 : 0);
    ledger.mutable_end()->set_run_id(run_id);
    ledger.mutable_end()->set_fetched(reason.empty() ? 2 : 0);
    ledger.mutable_end()->set_error_reason(reason);
    ledger.mutable_end()->set_cancelled(stopped);
    coordinator->TakeLedger(ledger);
  }
  v1::Backfill Get(const std::string& id) { return *coordinator->GetBackfill(id); }
  std::vector<v1::Partition> Rows(const std::string& id) {
    return *coordinator->ListPartitions(id, 0, 1000, v1::PARTITION_STATE_UNSPECIFIED);
  }
  v1::Run Run(const std::string& id) { return *coordinator->GetRun(id); }

  std::set<std::string> cancelled;

 private:
  int64_t epoch_ = 0;
  std::set<std::string> told_;
};

}  // namespace

TEST_CASE("each partition is a run that knows what it covers, in order of time") {
  Fixture f;
  f.Register(4);
  f.Use();
  const std::string id = f.Start(Days(3));
  for (int day = 0; day < 3; ++day) {
    std::vector<v1::RunOrder> orders = f.Orders();
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].partition().start_time().seconds() == 86400 * (19000 + day));
    CHECK(orders[0].partition().end_time().seconds() == 86400 * (19001 + day));
    v1::Run run = f.Run(orders[0].run_id());
    CHECK(run.trigger() == "backfill");
    CHECK(run.backfill_id() == id);
    CHECK(f.Rows(id)[day].state() == v1::PARTITION_STATE_RUNNING);
    f.End(orders[0].run_id());
  }
  CHECK(f.Orders().empty());
  v1::Backfill backfill = f.Get(id);
  CHECK(backfill.state() == v1::BACKFILL_STATE_SUCCEEDED);
  CHECK(backfill.succeeded() == 3);
  CHECK(backfill.records() == 6);
  CHECK(backfill.creator() == "boss");
}

TEST_CASE("a backfill goes on after a crash at any moment, and no partition that succeeded runs again") {
  Fixture f;
  f.Register(4);
  f.Use();
  const std::string id = f.Start(Days(6, 2));
  std::map<int64_t, int> runs;  // by the start of what they cover
  std::set<std::string> seen;
  for (int i = 0; i < 40 && f.Get(id).state() == v1::BACKFILL_STATE_RUNNING; ++i) {
    for (const v1::RunOrder& order : f.Orders()) {
      if (!seen.insert(order.run_id()).second) continue;
      ++runs[order.partition().start_time().seconds()];
      if (i % 3 == 0) f.Open();
      f.End(order.run_id());
      if (i % 3 == 1) f.Open();
    }
    f.Use();  // the registry tells it anew after a restart
  }
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_SUCCEEDED);
  CHECK(runs.size() == 6);
  for (const auto& [start, count] : runs) CHECK(count == 1);
}

TEST_CASE("a backfill stands neither in the way of the schedule nor for the health of the profile") {
  Fixture f;
  f.Register(2);
  v1::Profile profile = ProfileOf(kPlaces, "{max_attempts: 1}");
  profile.set_enabled(true);
  profile.mutable_interval()->set_seconds(3600);
  f.coordinator->SetProfile(profile);
  std::vector<v1::RunOrder> orders = f.Orders();
  REQUIRE(orders.size() == 1);  // the schedule's first
  f.End(orders[0].run_id());
  const std::string scheduled = orders[0].run_id();

  const std::string id = f.Start(Days(5, 5));
  orders = f.Orders();
  REQUIRE(orders.size() == 1);  // one place stays free
  CHECK(orders[0].has_partition());
  CHECK(f.Get(id).running() == 5);
  f.clock.Advance(absl::Hours(1));
  f.Orders();  // heard of again
  orders = f.Orders();
  std::set<std::string> triggers;
  for (const v1::RunOrder& order : orders) triggers.insert(f.Run(order.run_id()).trigger());
  CHECK(triggers.count("schedule") == 1);
  absl::StatusOr<v1::ProfileStatus> status = f.coordinator->GetProfileStatus("p");
  REQUIRE_OK(status);
  CHECK(status->last_success().run_id() == scheduled);
  CHECK(status->last_run().trigger() == "schedule");
}

TEST_CASE("a failed partition is tried again at times that grow apart, and then given up until someone asks") {
  Fixture f;
  f.Register(4);
  f.Use();
  const std::string id = f.Start(Days(1));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    std::vector<v1::RunOrder> orders = f.Orders();
    REQUIRE(orders.size() == 1);
    CHECK(f.Run(orders[0].run_id()).attempt() == attempt);
    f.End(orders[0].run_id(), "SOURCE_UNREACHABLE");
    CHECK(f.Orders().empty());
    f.clock.Advance(absl::Seconds(1 << (attempt - 1)));
  }
  CHECK(f.Orders().empty());
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_FAILED);
  CHECK(f.Rows(id)[0].error_reason() == "SOURCE_UNREACHABLE");
  REQUIRE_OK(f.coordinator->RetryBackfill(id));
  std::vector<v1::RunOrder> orders = f.Orders();
  REQUIRE(orders.size() == 1);
  CHECK(f.Run(orders[0].run_id()).attempt() == 1);
  f.End(orders[0].run_id());
  f.Orders();
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_SUCCEEDED);
}

TEST_CASE("what a lost drone did after all is not done again, also where rows are in quarantine") {
  Fixture f;
  f.Register(4);
  f.Use();
  const std::string id = f.Start(Days(1));
  const std::string run = f.Orders()[0].run_id();
  f.clock.Advance(absl::Minutes(5));
  REQUIRE_OK(f.coordinator->Tick());
  CHECK(f.Run(run).error_reason() == "DRONE_LOST");
  CHECK(f.Rows(id)[0].state() == v1::PARTITION_STATE_WAITING);
  v1::RunLedger late;
  late.set_run_id(run);
  late.mutable_balance()->set_stored(2);
  late.mutable_balance()->set_quarantined(1);
  late.mutable_end()->set_run_id(run);
  late.mutable_end()->set_fetched(3);
  f.coordinator->TakeLedger(late);
  REQUIRE(f.Run(run).error_reason() == "ROWS_QUARANTINED");
  f.Register(4);
  f.clock.Advance(absl::Seconds(3));
  CHECK(f.Orders().empty());
  CHECK(f.Rows(id)[0].state() == v1::PARTITION_STATE_SUCCEEDED);
  CHECK(f.Rows(id)[0].run_id() == run);
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_SUCCEEDED);
}

TEST_CASE("what does not heal by itself is not tried again") {
  Fixture f;
  f.Register(4);
  f.Use();
  const std::string id = f.Start(Days(1));
  f.End(f.Orders()[0].run_id(), "PAYLOAD_NOT_JSON");
  f.Orders();
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_FAILED);
  CHECK(f.Rows(id)[0].attempts() == 1);
}

TEST_CASE("the retry budget of a profile holds for all its partitions together, and runs say that they wait") {
  Fixture f;
  f.Register(16);
  f.Use(kPlaces, "{max_attempts: 20, backoff: 1s, budget: 3/h}");
  const std::string id = f.Start(Days(4, 4));
  std::string last;
  int retries = 0;
  for (int i = 0; i < 60; ++i) {
    for (const v1::RunOrder& order : f.Orders()) {
      retries += f.Run(order.run_id()).attempt() > 1 ? 1 : 0;
      last = order.run_id();
      f.End(order.run_id(), "SOURCE_UNREACHABLE");
    }
    f.clock.Advance(absl::Seconds(5));  // within its lease
  }
  CHECK(retries == 3);
  CHECK(f.Run(last).error().find("because retry.budget of the profile, 3/h, is used up") != std::string::npos);
  CHECK(f.Get(id).waiting() == 4);
  f.Open();  // the budget is not new after a restart
  f.Use(kPlaces, "{max_attempts: 20, backoff: 1s, budget: 3/h}");
  CHECK(f.Orders().empty());
  f.clock.Advance(absl::Hours(1));
  f.Orders();
  CHECK(f.Orders().size() == 3);
}

TEST_CASE("a profile whose source has no place for a part of time is refused, and pauses what runs") {
  Fixture f;
  f.Register(4);
  f.Use("");
  absl::Status refused = f.coordinator->CreateBackfill("p", Days(3), "boss").status();
  CHECK(Reason(refused) == "PROFILE_NOT_PARTITIONED");
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(refused.message()).find("{partition.start}") != std::string::npos);
  CHECK(Reason(f.coordinator->CreateBackfill("q", Days(3), "boss").status()) == "PROFILE_NOT_FOUND");
  f.Use(kPlaces, "{max_attempts: 1}", 2);
  v1::CreateBackfillRequest hours = Days(3);
  hours.set_step(v1::BACKFILL_STEP_HOUR);
  CHECK(Reason(f.coordinator->CreateBackfill("p", hours, "boss").status()) == "BACKFILL_INVALID");
  const std::string id = f.Start(Days(3));
  f.Use("", "{max_attempts: 1}", 3);
  CHECK(f.Orders().empty());
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_PAUSED);
  CHECK(f.Get(id).reason() == "PROFILE_NOT_PARTITIONED");
  f.coordinator->RemoveProfile("p");
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_CANCELLED);
  CHECK(f.Get(id).reason() == "PROFILE_DELETED");
}

TEST_CASE("pausing lets runs end and begins none, cancelling stops them") {
  Fixture f;
  f.Register(8);
  f.Use();
  const std::string id = f.Start(Days(6, 2));
  std::vector<v1::RunOrder> orders = f.Orders();
  REQUIRE(orders.size() == 2);
  REQUIRE_OK(f.coordinator->PauseBackfill(id, "the source is busy"));
  CHECK(f.Get(id).message() == "the source is busy");
  f.End(orders[0].run_id());
  CHECK(f.Orders().empty());
  CHECK(f.Get(id).succeeded() == 1);
  REQUIRE_OK(f.coordinator->ResumeBackfill(id));
  CHECK(f.Orders().size() == 1);
  REQUIRE_OK(f.coordinator->CancelBackfill(id));
  f.Orders();
  CHECK(f.cancelled.count(orders[1].run_id()) == 1);
  for (const v1::Partition& row : f.Rows(id)) {
    if (row.state() == v1::PARTITION_STATE_RUNNING) f.End(row.run_id(), "RUN_CANCELLED", true);
  }
  f.Orders();
  CHECK(f.Get(id).succeeded() == 1);
  CHECK(f.Get(id).cancelled() == 5);
  CHECK(f.Get(id).state() == v1::BACKFILL_STATE_CANCELLED);
}

TEST_CASE("while a profile is paused its backfills wait") {
  Fixture f;
  f.Register(4);
  v1::Profile profile = ProfileOf(kPlaces, "{max_attempts: 1}");
  profile.set_paused(true);
  f.coordinator->SetProfile(profile);
  f.Start(Days(2));
  CHECK(f.Orders().empty());
  f.Use(kPlaces, "{max_attempts: 1}", 2);
  CHECK(f.Orders().size() == 1);
}

}  // namespace chartly::coordinator
