// Where a report reads batches from.
#ifndef CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_
#define CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace chartly::reporter {

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Calls `take` with the bytes of each batch of the profile and its bitmap of current rows (ScanBatchesResponse) until
  // all were given or it fails. No batches is OK.
  virtual absl::Status Scan(
      const std::string& profile_id,
      absl::FunctionRef<absl::Status(absl::string_view batch, absl::string_view current)> take) = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_BATCH_SOURCE_H_
