// Lists deletions and legal holds in pages. Thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_DELETION_LIST_H_
#define CHARTLY_CONTROL_AGGREGATOR_DELETION_LIST_H_

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// Newest first. InvalidArgument (LIMIT_INVALID, PAGE_TOKEN_INVALID).
absl::StatusOr<v1::ListDeletionsResponse> ListDeletions(const RecordReader& store,
                                                        const v1::ListDeletionsRequest& request);
// In order of profiles.
absl::StatusOr<v1::ListLegalHoldsResponse> ListLegalHolds(const RecordReader& store,
                                                          const v1::ListLegalHoldsRequest& request);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_DELETION_LIST_H_
