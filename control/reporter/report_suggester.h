// Proposes reports that the data can answer: which profiles share the values of which dims, and which measures then
// stand side by side. Every proposal was tried: the rows it names are there.
//
// Thread-safe if the runner and the source are.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_SUGGESTER_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_SUGGESTER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/reporter.pb.h"
#include "control/reporter/batch_source.h"
#include "control/reporter/report_runner.h"

namespace chartly::reporter {

inline constexpr int32_t kDefaultSuggestions = 10;
inline constexpr int32_t kMaxSuggestions = 50;
// Profiles that one call looks at, and proposals that it tries.
inline constexpr size_t kMaxSketchedProfiles = 64;
inline constexpr size_t kMaxTried = 60;

// The best `limit` proposals, best first, over the profiles named. The errors of the source; a proposal that does not
// fit the memory of reports is left out and told.
absl::StatusOr<v1::SuggestReportsResponse> SuggestReports(const std::vector<std::string>& profiles, int32_t limit,
                                                          ReportRunner& runner, BatchSource& source);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_SUGGESTER_H_
