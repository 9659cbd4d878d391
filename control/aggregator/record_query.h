// Answers questions about stored records. Thread-safe; a read sees a commit whole or not at all.
//
// DataLoss (STORE_CORRUPT, BATCH_CORRUPT) if a question meets damage: an answer is never silently short.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_QUERY_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_QUERY_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/rpc/project_scope.h"
#include "control/aggregator/record_scan.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class RecordQuery {
 public:
  // `max_scanned` rows are looked at by one call of ListRecords at most.
  explicit RecordQuery(const RecordStore& store, int64_t max_scanned = 1000000)
      : store_(store), max_scanned_(max_scanned) {}

  absl::StatusOr<v1::ListRecordsResponse> ListRecords(const v1::ListRecordsRequest& request, const Gone& gone) const;
  // These give what is of profiles of these projects.
  absl::StatusOr<v1::ListResultsResponse> ListResults(const v1::ListResultsRequest& request,
                                                      const rpc::ProjectScope& projects = {}) const;
  absl::StatusOr<v1::ResultsSummary> Summary(const rpc::ProjectScope& projects = {}) const;
  absl::StatusOr<v1::ListQuarantineResponse> ListQuarantine(const v1::ListQuarantineRequest& request,
                                                            const rpc::ProjectScope& projects = {}) const;
  // NotFound (RUN_NOT_FOUND) if no entry of the run ever arrived.
  absl::StatusOr<v1::RunLedger> Ledger(const std::string& name, const rpc::ProjectScope& projects = {}) const;
  // Calls `send` for each batch of a profile that has current rows, or tells what each has if the request asks for
  // that; stops when it returns false.
  absl::Status ScanBatches(const v1::ScanBatchesRequest& request,
                           const std::function<bool(const v1::ScanBatchesResponse&)>& send) const;

 private:
  const RecordStore& store_;
  const int64_t max_scanned_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_QUERY_H_
