// Lists deletions and legal holds of the profiles of some projects in pages. Thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_DELETION_LIST_H_
#define CHARTLY_CONTROL_AGGREGATOR_DELETION_LIST_H_

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/rpc/project_scope.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// Newest first. InvalidArgument (LIMIT_INVALID, PAGE_TOKEN_INVALID).
absl::StatusOr<v1::ListDeletionsResponse> ListDeletions(const RecordReader& store,
                                                        const v1::ListDeletionsRequest& request,
                                                        const rpc::ProjectScope& projects = {});
// In order of profiles.
absl::StatusOr<v1::ListLegalHoldsResponse> ListLegalHolds(const RecordReader& store,
                                                          const v1::ListLegalHoldsRequest& request,
                                                          const rpc::ProjectScope& projects = {});

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_DELETION_LIST_H_
