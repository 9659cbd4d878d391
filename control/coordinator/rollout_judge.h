// Whether a run of a new revision is what the runs of the revision before let expect: how many records, how many of
// them duplicates, how many rows in quarantine, which fields with values of which types, how long. Pure.
#ifndef CHARTLY_CONTROL_COORDINATOR_ROLLOUT_JUDGE_H_
#define CHARTLY_CONTROL_COORDINATOR_ROLLOUT_JUDGE_H_

#include <optional>
#include <string>
#include <vector>

#include "chartly/storage/v1/coordinator.pb.h"
#include "chartly/v1/aggregator.pb.h"
#include "chartly/v1/coordinator.pb.h"

namespace chartly::coordinator {

using RunStats = storage::v1::RunStats;

// What is bad about a run, with the figures of both revisions.
struct RolloutFault {
  std::string reason;  // RECORDS_LOST, RECORDS_FLOOD, DUPLICATES, QUARANTINE, FIELD_LOST, FIELD_RETYPED, FIELD_NULLS,
                       // RUN_SLOW
  std::string message;
};

struct JudgeOptions {
  double records_factor = 1.5;  // off the least or the most of the base
  double share = 0.2;           // of rows or values, more or less than in the base
  double duration_factor = 3;   // of the longest of the base
  int64_t duration_slack_ms = 2000;
  bool counts_vary = false;  // the source gives what is new: how much says nothing
};

RunStats StatsOf(const v1::Run& run, const v1::RunEnd& end);

// The worst of what is bad; nothing if the run is as expected. Requires: `base` is not empty.
std::optional<RolloutFault> JudgeRun(const std::vector<RunStats>& base, const RunStats& run,
                                     const JudgeOptions& options = {});

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_ROLLOUT_JUDGE_H_
