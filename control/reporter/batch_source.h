// Where a report reads batches from.
#ifndef CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_
#define CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace chartly::reporter {

// Rows as ScanBatchesResponse has them: a batch, or else a sealed chunk, and the bitmap of current rows.
struct RecordPiece {
  absl::string_view batch;
  absl::string_view current;
  absl::string_view chunk = absl::string_view();
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Calls `take` with all pieces of the profile until all were given or it fails. None is OK. Thread-safe.
  virtual absl::Status Scan(const std::string& profile_id,
                            absl::FunctionRef<absl::Status(const RecordPiece& piece)> take) = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_
