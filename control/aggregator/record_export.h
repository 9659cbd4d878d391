// Streams the records of a question as one file. Thread-safe; the store must outlive it.
//
// Memory: one batch, what the format collects (a row group of Parquet), and one piece on its way. A reader that is slow
// holds the export back, for `send` comes back when the piece has been taken over.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_EXPORT_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_EXPORT_H_

#include <atomic>
#include <functional>

#include "absl/status/status.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/rpc/project_scope.h"
#include "control/aggregator/record_scan.h"

namespace chartly::aggregator {

class RecordExport {
 public:
  explicit RecordExport(const RecordStore& store, int max_exports = 8) : store_(store), max_exports_(max_exports) {}

  // False once nobody reads any more.
  using Send = std::function<bool(const v1::ExportRecordsResponse& piece)>;
  // Sends at least one piece. NotFound (RECORDS_NOT_FOUND) if nothing was ever stored of the profile or run;
  // InvalidArgument (FIELD_NAME_UNKNOWN) if a name of the filter or of the fields is one that no record has, so that a
  // slip of the pen is no empty file; ResourceExhausted (EXPORTS_BUSY) while as many as may be are under way.
  // A run that is of none of these projects is as good as one that is not there.
  absl::Status Run(const v1::ExportRecordsRequest& request, const Gone& gone, const Send& send,
                   const rpc::ProjectScope& projects = {});

 private:
  absl::Status RunAdmitted(const v1::ExportRecordsRequest& request, const Gone& gone, const Send& send,
                           const rpc::ProjectScope& projects) const;
  absl::Status CheckThere(const v1::ExportRecordsRequest& request, const rpc::ProjectScope& projects) const;

  const RecordStore& store_;
  const int max_exports_;
  std::atomic<int> under_way_ = 0;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_EXPORT_H_
