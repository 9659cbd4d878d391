#include "control/coordinator/rollout_table.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

constexpr char kText[] =
    "name: P\nsource: {type: http_rest, url: https://api.example.gov/d.json}\nmapping: {a: dims.a}\n"
    "rollout: {rings: [30%, {labels: {stage: canary}}, 100%], runs: 1}\n";

ProfileEntry EntryOf(int revision) {
  ProfileEntry entry;
  entry.id = "p";
  entry.revision = absl::StrCat("profiles/p@sha256:", revision);
  entry.content = std::make_shared<const std::string>(absl::StrCat("id: p\nversion: 1.0.", revision, "\n", kText));
  entry.rollout.rings.resize(3);
  return entry;
}

const std::vector<RingDrone> kHolders = {{"a", {}}, {"b", {}}, {"c", {{"stage", "canary"}}}, {"d", {}}, {"e", {}}};

class Fixture {
 public:
  Fixture() {
    table.SetProfile(EntryOf(1), kStart);
    End(1, 100);
  }
  // A run of that revision ends; says whether the rollout changed.
  bool End(int revision, int64_t records, const std::string& error_reason = "") {
    v1::Run run;
    run.set_run_id(absl::StrCat("run-", ++runs_));
    run.set_profile_id("p");
    run.set_revision(EntryOf(revision).revision);
    run.set_status(error_reason.empty() ? v1::RUN_STATUS_SUCCEEDED : v1::RUN_STATUS_FAILED);
    run.set_error_reason(error_reason);
    run.mutable_balance()->set_stored(records);
    run.mutable_balance()->set_fetched(records);
    return table.TakeEnd(run, v1::RunEnd(), kStart);
  }
  // The drones that do the revision, of a profile that says `head`.
  std::string DoneBy(int revision, int head) {
    std::string ids;
    for (const RingDrone& drone : kHolders) {
      RolloutTable::Choice choice = table.ChoiceFor(EntryOf(head), kHolders, drone.id);
      if (choice.revision != EntryOf(revision).revision) continue;
      ids += drone.id;
      CHECK(*choice.content == *EntryOf(revision).content);
    }
    return ids;
  }
  v1::RolloutState State() { return table.Get("p")->state(); }

  const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1000);
  RolloutTable table;

 private:
  int runs_ = 0;
};

}  // namespace

TEST_CASE("a revision goes from ring to ring, and is that of all drones after the last") {
  Fixture fixture;
  CHECK(Reason(fixture.table.Get("p").status()) == "ROLLOUT_NOT_FOUND");
  fixture.table.SetProfile(EntryOf(2), fixture.kStart);
  CHECK(fixture.State() == v1::ROLLOUT_STATE_RUNNING);
  CHECK(fixture.DoneBy(2, 2) == "ab");
  CHECK(fixture.DoneBy(1, 2) == "cde");
  CHECK(fixture.End(2, 100));
  CHECK(fixture.DoneBy(2, 2) == "abc");
  CHECK(fixture.End(2, 110));
  CHECK(fixture.DoneBy(2, 2) == "abcde");
  CHECK(fixture.State() == v1::ROLLOUT_STATE_RUNNING);
  CHECK(fixture.End(2, 90));
  CHECK(fixture.State() == v1::ROLLOUT_STATE_SUCCEEDED);
  fixture.table.SetProfile(EntryOf(3), fixture.kStart);
  CHECK(fixture.State() == v1::ROLLOUT_STATE_RUNNING);
  CHECK(fixture.DoneBy(2, 3) == "cde");
}

TEST_CASE("a bad run takes the revision from all drones, and it stays so when the state is read again") {
  Fixture fixture;
  fixture.table.SetProfile(EntryOf(2), fixture.kStart);
  CHECK_FALSE(fixture.End(1, 100));
  CHECK(fixture.End(2, 0));
  CHECK(fixture.State() == v1::ROLLOUT_STATE_ROLLED_BACK);
  CHECK(fixture.table.Get("p")->reason() == "RECORDS_LOST");
  CHECK(fixture.table.IsRefused("p", EntryOf(2).revision));
  CHECK(fixture.DoneBy(1, 2) == "abcde");

  testing::TempDir dir;
  FakeClock clock;
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(dir.File("state"), clock);
  REQUIRE_OK(store);
  StateTransaction transaction;
  fixture.table.AddTo(transaction);
  REQUIRE_OK((*store)->Commit(transaction));
  Fixture second;
  second.table = RolloutTable();
  REQUIRE_OK(second.table.Load(**store));
  second.table.SetProfile(EntryOf(2), fixture.kStart);
  CHECK(second.State() == v1::ROLLOUT_STATE_ROLLED_BACK);
  CHECK(second.DoneBy(1, 2) == "abcde");
  second.table.SetProfile(EntryOf(3), fixture.kStart);
  CHECK(second.State() == v1::ROLLOUT_STATE_RUNNING);
  CHECK(second.DoneBy(3, 3) == "ab");
}

TEST_CASE("failures of the network are excused twice, others at no time") {
  Fixture fixture;
  fixture.table.SetProfile(EntryOf(2), fixture.kStart);
  CHECK_FALSE(fixture.End(2, 0, "SOURCE_UNREACHABLE"));
  CHECK_FALSE(fixture.End(2, 0, "DRONE_LOST"));
  CHECK_FALSE(fixture.End(2, 0, "SOURCE_TIMEOUT"));
  CHECK(fixture.End(2, 0, "SOURCE_TIMEOUT"));
  CHECK(fixture.table.Get("p")->reason() == "RUN_FAILED");
  fixture.table.SetProfile(EntryOf(3), fixture.kStart);
  CHECK(fixture.End(3, 0, "PAYLOAD_INVALID"));
  CHECK(fixture.State() == v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST_CASE("an operator ends a rollout, or takes its target whatever the rings showed") {
  Fixture fixture;
  CHECK(Reason(fixture.table.Abort("p", "", fixture.kStart).status()) == "ROLLOUT_NOT_RUNNING");
  fixture.table.SetProfile(EntryOf(2), fixture.kStart);
  REQUIRE_OK(fixture.table.Abort("p", "not today", fixture.kStart));
  CHECK(fixture.table.Get("p")->message() == "not today");
  CHECK(fixture.DoneBy(1, 2) == "abcde");
  REQUIRE_OK(fixture.table.Accept(EntryOf(2), fixture.kStart));
  CHECK(fixture.DoneBy(2, 2) == "abcde");
  CHECK(Reason(fixture.table.Accept(EntryOf(2), fixture.kStart).status()) == "ROLLOUT_IN_USE");
  // Without a good run there is nothing to compare the next with: it takes over.
  fixture.table.SetProfile(EntryOf(3), fixture.kStart);
  CHECK(fixture.DoneBy(3, 3) == "abcde");
}

TEST_CASE("a profile that goes back ends its rollout, one that goes has none") {
  Fixture fixture;
  fixture.table.SetProfile(EntryOf(2), fixture.kStart);
  fixture.table.SetProfile(EntryOf(1), fixture.kStart);
  CHECK(fixture.State() == v1::ROLLOUT_STATE_ABORTED);
  CHECK(fixture.DoneBy(1, 1) == "abcde");
  fixture.table.RemoveProfile("p");
  CHECK_FALSE(fixture.table.Get("p").ok());
  CHECK(fixture.table.List("", 10).empty());
}

}  // namespace chartly::coordinator
