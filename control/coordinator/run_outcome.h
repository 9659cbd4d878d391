// What a run came to: its balance while it goes on, and its final state from the ledger of the aggregator. Pure
// functions of a record.
#ifndef CHARTLY_CONTROL_COORDINATOR_RUN_OUTCOME_H_
#define CHARTLY_CONTROL_COORDINATOR_RUN_OUTCOME_H_

#include "absl/time/time.h"
#include "chartly/v1/aggregator.pb.h"
#include "control/coordinator/run_table.h"

namespace chartly::coordinator {

// The run as the API tells it; for a run in progress with the balance of now.
v1::Run Describe(const RunRecord& record);

// Takes over what the ledger says of the rows, and the end of the run if it has one: then the run is final and
// `ended`, whatever it was before. Says whether anything changed.
bool ApplyLedger(RunRecord& record, const v1::RunLedger& ledger, absl::Time now);

// Makes a run final without its end: DRONE_LOST and the like, or CANCELLED with an empty reason.
void EndWithoutLedger(RunRecord& record, v1::RunStatus status, absl::string_view reason, absl::string_view message,
                      absl::Time now);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_RUN_OUTCOME_H_
