#include "control/coordinator/backfill_table.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/clock/clock.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::TempDir;

constexpr v1::PartitionState kWaiting = v1::PARTITION_STATE_WAITING;
constexpr v1::PartitionState kRunning = v1::PARTITION_STATE_RUNNING;
constexpr v1::PartitionState kSucceeded = v1::PARTITION_STATE_SUCCEEDED;
constexpr v1::PartitionState kFailed = v1::PARTITION_STATE_FAILED;
constexpr v1::PartitionState kCancelled = v1::PARTITION_STATE_CANCELLED;

absl::Time Day(int day) { return absl::FromCivil(absl::CivilDay(2024, 1, 1) + day, absl::UTCTimeZone()); }

v1::Backfill Wanted(const std::string& id, int days, int at_most = 1, int first = 0) {
  v1::Backfill wanted;
  wanted.set_backfill_id(id);
  wanted.set_profile_id("p");
  *wanted.mutable_range()->mutable_start_time() = ToTimestamp(Day(first));
  *wanted.mutable_range()->mutable_end_time() = ToTimestamp(Day(first + days));
  wanted.set_at_most(at_most);
  return wanted;
}

v1::Run RunOf(const std::string& id, v1::RunStatus status, const std::string& reason = "") {
  v1::Run run;
  run.set_run_id(id);
  run.set_status(status);
  run.set_error_reason(reason);
  run.set_rows_out(status == v1::RUN_STATUS_SUCCEEDED ? 10 : 0);
  return run;
}

// A table on real state, of which a crash forgets what was not committed.
class Fixture {
 public:
  Fixture() { Crash(); }
  void Crash() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(dir_.File("state"), clock_);
    REQUIRE_OK(store);
    store_ = *std::move(store);
    table.emplace(BackfillLimits{.partitions_of_one = 40, .partitions = 100, .held = 4, .open = 3});
    REQUIRE_OK(table->Load(*store_));
  }
  void Commit() {
    StateTransaction transaction;
    table->AddTo(transaction);
    if (transaction.puts.empty() && transaction.deletes.empty()) return;
    REQUIRE_OK(store_->Commit(transaction));
    table->Written();
  }
  std::vector<v1::Partition> Rows(const std::string& id = "b") {
    return *table->Partitions(id, 0, 1000, v1::PARTITION_STATE_UNSPECIFIED);
  }
  size_t Stored() { return store_->Range("")->size(); }

  std::optional<BackfillTable> table;

 private:
  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<StateStore> store_;
};

const absl::Time kNow = Day(1000);
const absl::Time kNever = absl::InfiniteFuture();

// What a table should hold.
struct Model {
  struct Row {
    v1::PartitionState state = kWaiting;
    int attempts = 0;
    std::string run;
    bool operator==(const Row&) const = default;
  };
  std::vector<Row> rows;
  v1::BackfillState state = v1::BACKFILL_STATE_RUNNING;

  bool Has(v1::PartitionState wanted) const {
    return std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.state == wanted; });
  }
  bool open() const { return state == v1::BACKFILL_STATE_RUNNING || state == v1::BACKFILL_STATE_PAUSED; }
  void Settle() {
    if (!open() || Has(kWaiting) || Has(kRunning)) return;
    state = Has(kFailed) ? v1::BACKFILL_STATE_FAILED : v1::BACKFILL_STATE_SUCCEEDED;
  }
};

// Runs a table and its model through the same moves, with crashes between.
class Walk {
 public:
  explicit Walk(uint32_t seed) : random_(seed) {
    REQUIRE_OK(f_.table->Create(Wanted("b", kRows, kAtMost)));
    model_.rows.resize(kRows);
    Commit();
  }
  void Move() {
    switch (random_() % 12) {
      case 0:
        return Crash();
      case 1:
        return Change(f_.table->Pause("b", "", "why"), model_.state == v1::BACKFILL_STATE_RUNNING,
                      [this] { model_.state = v1::BACKFILL_STATE_PAUSED; });
      case 2:
      case 3:
        return Change(f_.table->Resume("b"), model_.state == v1::BACKFILL_STATE_PAUSED,
                      [this] { model_.state = v1::BACKFILL_STATE_RUNNING; });
      case 4:
        return random_() % 6 == 0 ? Cancel() : Retry();
      case 5:
      case 6:
      case 7:
        return Begin();
      default:
        return End();
    }
  }
  void Check() {
    const std::vector<v1::Partition> rows = f_.Rows();
    REQUIRE(rows.size() == kRows);
    size_t running = 0;
    for (size_t i = 0; i < kRows; ++i) {
      CHECK(Model::Row{rows[i].state(), rows[i].attempts(), rows[i].run_id()} == model_.rows[i]);
      running += rows[i].state() == kRunning ? 1 : 0;
    }
    CHECK(running <= kAtMost);
    const v1::Backfill backfill = *f_.table->Get("b");
    CHECK(backfill.state() == model_.state);
    CHECK(backfill.waiting() + backfill.running() + backfill.succeeded() + backfill.failed() + backfill.cancelled() ==
          static_cast<int>(kRows));
    CHECK(backfill.has_finish_time() == !model_.open());
  }
  // Lets everything come to its end, and says how many partitions were done.
  size_t Finish() {
    for (int i = 0; i < 10'000 && model_.Has(kWaiting); ++i) {
      if (model_.state == v1::BACKFILL_STATE_PAUSED) {
        REQUIRE_OK(f_.table->Resume("b"));
        model_.state = v1::BACKFILL_STATE_RUNNING;
      }
      Begin();
      while (model_.Has(kRunning)) End();
    }
    Commit();
    Check();
    return succeeded_.size();
  }

 private:
  static constexpr size_t kRows = 12;
  static constexpr size_t kAtMost = 3;

  void Commit() {
    f_.Commit();
    durable_ = model_;
    for (size_t i = 0; i < kRows; ++i) {
      if (model_.rows[i].state == kSucceeded) succeeded_.insert(i);
    }
  }
  void Crash() {
    f_.Crash();
    model_ = durable_;
  }
  template <typename Result, typename Apply>
  void Change(const Result& result, bool allowed, Apply apply) {
    CHECK(result.ok() == allowed);
    if (allowed) apply();
    if (random_() % 2 == 0) Commit();
  }
  void Begin() {
    for (const PartitionAt& at : f_.table->Due(kNow)) {
      // What came to be known as done is never begun again.
      CHECK(succeeded_.count(at.index) == 0);
      Model::Row& row = model_.rows[at.index];
      CHECK(row.state == kWaiting);
      row = {kRunning, row.attempts + 1, absl::StrCat("run-", ++runs_)};
      f_.table->Begin(at, row.run);
    }
    // A run is ordered only once this is on disk; one that is not may be forgotten.
    if (random_() % 2 == 0) Commit();
  }
  void End() {
    const std::vector<PartitionAt> running = f_.table->Running();
    if (running.empty()) return;
    const PartitionAt& at = running[random_() % running.size()];
    Model::Row& row = model_.rows[at.index];
    const uint32_t kind = random_() % 4;
    const absl::Time retry_at = kind == 2 ? kNow : kNever;
    f_.table->End(at, RunOf("another", v1::RUN_STATUS_SUCCEEDED), kNever, kNow);  // is not its run
    f_.table->End(at, RunOf(row.run, kind < 2 ? v1::RUN_STATUS_SUCCEEDED : v1::RUN_STATUS_FAILED, "X"), retry_at, kNow);
    const bool cancelled = model_.state == v1::BACKFILL_STATE_CANCELLED;
    row.state = kind < 2 ? kSucceeded : cancelled ? kCancelled : kind == 2 && model_.open() ? kWaiting : kFailed;
    model_.Settle();
    if (random_() % 2 == 0) Commit();
  }
  void Cancel() {
    Change(f_.table->Cancel("b", "", kNow), model_.open(), [this] {
      model_.state = v1::BACKFILL_STATE_CANCELLED;
      for (Model::Row& row : model_.rows) row.state = row.state == kWaiting ? kCancelled : row.state;
    });
  }
  void Retry() {
    Change(f_.table->Retry("b"), model_.Has(kFailed) || model_.Has(kCancelled), [this] {
      if (!model_.open()) model_.state = v1::BACKFILL_STATE_RUNNING;
      for (Model::Row& row : model_.rows) {
        if (row.state == kFailed || row.state == kCancelled) row = {kWaiting, 0, row.run};
      }
    });
  }

  std::mt19937 random_;
  Fixture f_;
  Model model_;
  Model durable_;
  std::set<size_t> succeeded_;  // on disk
  int runs_ = 0;
};

}  // namespace

TEST_CASE("a table of partitions does what its model does, through crashes at any moment") {
  for (uint32_t seed = 1; seed <= 25; ++seed) {
    INFO("seed " << seed);
    Walk walk(seed);
    for (int move = 0; move < 150; ++move) {
      walk.Move();
      walk.Check();
    }
    walk.Finish();
  }
}

TEST_CASE("partitions run in order of time, no more at once than was asked for") {
  Fixture f;
  REQUIRE_OK(f.table->Create(Wanted("b", 5, 2)));
  std::vector<PartitionAt> due = f.table->Due(kNow);
  REQUIRE(due.size() == 2);
  CHECK(due[0].index == 0);
  CHECK(due[1].index == 1);
  f.table->Begin(due[0], "r1");
  f.table->Begin(due[1], "r2");
  CHECK(f.table->Due(kNow).empty());
  f.table->End(due[1], RunOf("r2", v1::RUN_STATUS_SUCCEEDED), kNever, kNow);
  REQUIRE(f.table->Due(kNow).size() == 1);
  CHECK(f.table->Due(kNow)[0].index == 2);
  CHECK(f.table->Get("b")->records() == 10);
}

TEST_CASE("a partition that failed waits for its time, and tells why") {
  Fixture f;
  REQUIRE_OK(f.table->Create(Wanted("b", 1)));
  PartitionAt at = f.table->Due(kNow)[0];
  f.table->Begin(at, "r1");
  f.table->End(at, RunOf("r1", v1::RUN_STATUS_FAILED, "SOURCE_UNREACHABLE"), kNow + absl::Minutes(1), kNow);
  CHECK(f.table->Due(kNow).empty());
  CHECK(f.Rows()[0].error_reason() == "SOURCE_UNREACHABLE");
  CHECK(FromTimestamp(f.Rows()[0].retry_time()) == kNow + absl::Minutes(1));
  f.Commit();
  f.Crash();
  CHECK(f.table->Due(kNow).empty());
  REQUIRE(f.table->Due(kNow + absl::Minutes(1)).size() == 1);
  f.table->PutOff(at, kNow + absl::Minutes(2));
  CHECK(f.table->Due(kNow + absl::Minutes(1)).empty());
  CHECK(f.table->Due(kNow - absl::Hours(2)).size() == 1);  // the clock was set back
  // Its first run arrived after all.
  f.table->End(at, RunOf("r1", v1::RUN_STATUS_SUCCEEDED), kNever, kNow);
  CHECK(f.Rows()[0].state() == kSucceeded);
  CHECK(f.table->Get("b")->state() == v1::BACKFILL_STATE_SUCCEEDED);
}

TEST_CASE("rows in quarantine are no reason to fetch a partition again, a run that was cut off is one") {
  Fixture f;
  REQUIRE_OK(f.table->Create(Wanted("b", 2, 2)));
  std::vector<PartitionAt> due = f.table->Due(kNow);
  f.table->Begin(due[0], "r1");
  f.table->Begin(due[1], "r2");
  f.table->End(due[0], RunOf("r1", v1::RUN_STATUS_PARTIAL, "ROWS_QUARANTINED"), kNever, kNow);
  f.table->End(due[1], RunOf("r2", v1::RUN_STATUS_PARTIAL, "LIMIT_REACHED"), kNever, kNow);
  CHECK(f.Rows()[0].state() == kSucceeded);
  CHECK(f.Rows()[1].state() == kFailed);
  CHECK(f.table->Get("b")->state() == v1::BACKFILL_STATE_FAILED);
}

TEST_CASE("what cannot be done is refused with its reason") {
  Fixture f;
  CHECK(Reason(f.table->Create(Wanted("b", 41)).status()) == "BACKFILL_INVALID");
  CHECK(Reason(f.table->Create(Wanted("b", 0)).status()) == "BACKFILL_INVALID");
  CHECK(Reason(f.table->Create(Wanted("b", 1, 101)).status()) == "BACKFILL_INVALID");
  REQUIRE_OK(f.table->Create(Wanted("b", 10)));
  CHECK(Reason(f.table->Create(Wanted("c", 10, 1, 9)).status()) == "BACKFILL_OVERLAPS");
  REQUIRE_OK(f.table->Create(Wanted("c", 10, 1, 10)));
  CHECK(Reason(f.table->Get("x").status()) == "BACKFILL_NOT_FOUND");
  CHECK(Reason(f.table->Resume("b").status()) == "BACKFILL_NOT_PAUSED");
  CHECK(Reason(f.table->Retry("b").status()) == "BACKFILL_NOTHING_TO_RETRY");
  REQUIRE_OK(f.table->Cancel("b", "", kNow));
  CHECK(Reason(f.table->Cancel("b", "", kNow).status()) == "BACKFILL_ENDED");
  CHECK(Reason(f.table->Pause("b", "", "").status()) == "BACKFILL_NOT_RUNNING");
  // Another one covers it meanwhile.
  REQUIRE_OK(f.table->Create(Wanted("d", 5)));
  CHECK(Reason(f.table->Retry("b").status()) == "BACKFILL_OVERLAPS");
  CHECK(Reason(f.table->Create(Wanted("e", 5, 1, 50)).status()) == "");
  CHECK(Reason(f.table->Create(Wanted("f", 5, 1, 60)).status()) == "BACKFILLS_TOO_MANY");
}

TEST_CASE("a backfill that is refused takes none of those that ended away") {
  Fixture f;
  REQUIRE_OK(f.table->Create(Wanted("a-ended", 20)));
  REQUIRE_OK(f.table->Cancel("a-ended", "", kNow));
  REQUIRE_OK(f.table->Create(Wanted("b", 40, 1, 100)));
  REQUIRE_OK(f.table->Create(Wanted("c", 40, 1, 200)));
  f.Commit();
  // Too many partitions, whatever ended.
  CHECK(Reason(f.table->Create(Wanted("d", 30, 1, 300)).status()) == "BACKFILLS_TOO_MANY");
  CHECK_OK(f.table->Get("a-ended").status());
  REQUIRE_OK(f.table->Create(Wanted("d", 10, 1, 300)));
  CHECK(Reason(f.table->Get("a-ended").status()) == "BACKFILL_NOT_FOUND");
  // Too many that are open.
  REQUIRE_OK(f.table->Cancel("d", "", kNow));
  REQUIRE_OK(f.table->Create(Wanted("e", 5, 1, 400)));
  f.Commit();
  CHECK(Reason(f.table->Create(Wanted("f", 5, 1, 500)).status()) == "BACKFILLS_TOO_MANY");
  CHECK_OK(f.table->Get("d").status());
  f.Crash();
  CHECK_OK(f.table->Get("d").status());
}

TEST_CASE("backfills that ended give way to new ones, with all that is stored of them") {
  Fixture f;
  for (int i = 0; i < 12; ++i) {
    const std::string id = absl::StrCat("b", absl::Dec(i, absl::kZeroPad2));
    REQUIRE_OK(f.table->Create(Wanted(id, 3)));
    PartitionAt at = f.table->Due(kNow)[0];
    f.table->Begin(at, "r");
    f.table->End(at, RunOf("r", v1::RUN_STATUS_SUCCEEDED), kNever, kNow);
    REQUIRE_OK(f.table->Cancel(id, "", kNow));
    f.Commit();
  }
  std::vector<v1::Backfill> held = f.table->List("", 100, "");
  CHECK(held.size() == 4);
  CHECK(held.front().backfill_id() == "b11");
  CHECK(f.Stored() == 4 * 4);
  CHECK(f.table->List("b11", 1, "p").front().backfill_id() == "b10");
  CHECK(f.table->List("", 100, "other").empty());
}

}  // namespace chartly::coordinator
