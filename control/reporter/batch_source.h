// Where a report reads batches from.
#ifndef CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_
#define CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "control/reporter/key_span.h"

namespace chartly::reporter {

// Rows as ScanBatchesResponse has them: a batch, or else a sealed chunk, and the bitmap of current rows.
struct RecordPiece {
  absl::string_view batch;
  absl::string_view current;
  absl::string_view chunk = absl::string_view();
};

// What a scan may leave out: records whose value of this dim is not in this span.
struct ScanSpan {
  std::string dim;
  KeySpan span;
};

// Thread-safe.
class BatchSource {
 public:
  using Take = absl::FunctionRef<absl::Status(const RecordPiece& piece)>;
  virtual ~BatchSource() = default;
  // Calls `take` with all pieces of the profile until all were given or it fails. None is OK. With `only`, pieces that
  // have no record of that span may be left out; what comes has others, too.
  virtual absl::Status Scan(const std::string& profile_id, const ScanSpan* only, Take take) = 0;
  // What Scan gives, piece by piece, with the values of that dim. Scans of the profile see from then on what this saw.
  virtual absl::StatusOr<std::vector<KeyStretch>> Outline(const std::string& profile_id, const std::string& dim) = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_
