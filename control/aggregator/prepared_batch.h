// A batch, checked and with its record ids, ready for the committer. Made in the threads of the callers, since the
// hashing is the dearest part of an ingest. Plain data; moves cheaply.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PREPARED_BATCH_H_
#define CHARTLY_CONTROL_AGGREGATOR_PREPARED_BATCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/batch/batch.h"
#include "common/batch/record_id.h"
#include "common/rpc/caller.h"
#include "control/aggregator/key_ranges.h"

namespace chartly::aggregator {

struct PreparedBatch {
  std::string bytes;
  BatchHeader header;
  RecordIds ids;
  std::vector<DimRange> ranges;
  // Memory it takes.
  size_t Size() const { return bytes.size() + ids.ids.size() * 2 * sizeof(Hash128); }
};

// DataLoss (BATCH_CORRUPT) if the bytes are damaged; InvalidArgument (BATCH_INVALID) if the header names no profile
// or run, or names that cannot be keys; PermissionDenied (TENANT_UNKNOWN) if it says that it belongs to another tenant
// than `tenant`.
absl::StatusOr<PreparedBatch> PrepareBatch(std::string bytes, absl::string_view tenant = rpc::kDefaultTenant);

// InvalidArgument (NAME_INVALID) unless `name` has 1 to 256 bytes and no control characters. `what` is for the message.
absl::Status CheckName(absl::string_view what, absl::string_view name);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PREPARED_BATCH_H_
