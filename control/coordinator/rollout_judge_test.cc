#include "control/coordinator/rollout_judge.h"

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

RunStats Stats(int64_t records) {
  RunStats stats;
  stats.set_records(records);
  stats.set_fetched(records);
  stats.set_duration_ms(100);
  for (const char* name : {"dims.place", "measures.level"}) {
    v1::RunField& field = *stats.add_fields();
    field.set_name(name);
    field.set_type(name[0] == 'd' ? "text" : "decimal");
    field.set_values(records);
  }
  return stats;
}

std::string ReasonOf(const std::vector<RunStats>& base, const RunStats& run, const JudgeOptions& options = {}) {
  std::optional<RolloutFault> fault = JudgeRun(base, run, options);
  return fault ? fault->reason : "";
}

}  // namespace

TEST_CASE("a run like those before is good, within what they vary") {
  const std::vector<RunStats> base = {Stats(80), Stats(120)};
  CHECK(ReasonOf(base, Stats(100)) == "");
  CHECK(ReasonOf(base, Stats(175)) == "");
  CHECK(ReasonOf(base, Stats(55)) == "");
  CHECK(ReasonOf({Stats(2)}, Stats(4)) == "");
}

TEST_CASE("too many or too few records, and those that come twice, are told") {
  const std::vector<RunStats> base = {Stats(100), Stats(90)};
  CHECK(ReasonOf(base, Stats(0)) == "RECORDS_LOST");
  CHECK(ReasonOf(base, Stats(40)) == "RECORDS_LOST");
  CHECK(ReasonOf(base, Stats(1000)) == "RECORDS_FLOOD");
  RunStats twice = Stats(200);
  twice.set_duplicates(100);
  CHECK(ReasonOf(base, twice) == "DUPLICATES");
  std::optional<RolloutFault> fault = JudgeRun(base, Stats(1000));
  REQUIRE(fault);
  CHECK(fault->message == "the run gave 1000 records; runs of the revision before gave 100 or fewer");
  JudgeOptions incremental;
  incremental.counts_vary = true;
  CHECK(ReasonOf(base, Stats(1000), incremental) == "");
  RunStats unchanged = Stats(100);
  unchanged.set_duplicates(100);
  CHECK(ReasonOf(base, unchanged) == "");
}

TEST_CASE("rows in quarantine, fields without values and of other types are told") {
  const std::vector<RunStats> base = {Stats(100)};
  RunStats run = Stats(70);
  run.set_fetched(100);
  run.set_quarantined(30);
  CHECK(ReasonOf(base, run) == "QUARANTINE");
  run = Stats(100);
  run.mutable_fields(1)->set_values(60);
  CHECK(ReasonOf(base, run) == "FIELD_NULLS");
  run.mutable_fields(1)->set_values(0);
  CHECK(ReasonOf(base, run) == "FIELD_LOST");
  run = Stats(100);
  run.mutable_fields(1)->set_type("text");
  CHECK(ReasonOf(base, run) == "FIELD_RETYPED");
  run = Stats(100);
  run.add_fields()->set_name("attrs.more");
  run.mutable_fields(2)->set_values(100);
  CHECK(ReasonOf(base, run) == "");
}

TEST_CASE("a run that takes far longer is told") {
  RunStats run = Stats(100);
  run.set_duration_ms(2000);
  CHECK(ReasonOf({Stats(100)}, run) == "");
  run.set_duration_ms(2200);
  CHECK(ReasonOf({Stats(100)}, run) == "RUN_SLOW");
}

}  // namespace chartly::coordinator
