// A run for people: its line in a table, its balance, and waiting for its end.
#ifndef CHARTLY_CLI_RUN_VIEW_H_
#define CHARTLY_CLI_RUN_VIEW_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/session.h"

namespace chartly::cli {

std::vector<std::string> RunHeader();
std::vector<std::string> RunRow(const Json& run);
// "fetched 248 = stored 248 + duplicate 0 + filtered 0 + quarantined 0 + in spool 0 (closed)".
std::string BalanceText(const Json& balance);
// The run with its balance and error, or as JSON.
void PrintRun(Session& session, const Json& run);
// Whether it will not change any more.
bool IsFinal(const Json& run);
// Follows a run to its end, with its progress on `err`. DeadlineExceeded is never given: a run that does not end within
// `limit` is Aborted (RUN_NOT_ENDED).
absl::StatusOr<Json> WaitForRun(Session& session, const std::string& run_id, absl::Duration limit);
// OK for succeeded and partial; Aborted (the run's reason, or RUN_FAILED) otherwise.
absl::Status OutcomeOf(const Json& run);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_RUN_VIEW_H_
