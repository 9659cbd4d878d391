// Turns records posted as JSON into batches, so that they go the same way as those of drones. Pure.
#ifndef CHARTLY_CONTROL_AGGREGATOR_POSTED_RESULTS_H_
#define CHARTLY_CONTROL_AGGREGATOR_POSTED_RESULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"

namespace chartly::aggregator {

inline constexpr int kMaxPostedRecords = 100000;

// The batches, in order. InvalidArgument (RESULTS_INVALID, NAME_INVALID) naming the record and field if anything in
// the request cannot be stored exactly as it came: no records or too many, an empty one, a name without a part after
// its prefix or given twice, a measure that is no finite number.
absl::StatusOr<std::vector<std::string>> BuildPostedBatches(const v1::CreateResultsRequest& request,
                                                            const std::string& run_id, int64_t observed_us,
                                                            const std::string& tenant);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_POSTED_RESULTS_H_
