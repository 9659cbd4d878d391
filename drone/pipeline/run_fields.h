// Counts the values of each field over the batches of a run, so that one run can be compared with another. Bounded:
// past kMaxRunFields fields, further ones are not counted. Not thread-safe.
#ifndef CHARTLY_DRONE_PIPELINE_RUN_FIELDS_H_
#define CHARTLY_DRONE_PIPELINE_RUN_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/aggregator.pb.h"

namespace chartly::drone {

inline constexpr size_t kMaxRunFields = 256;

class RunFields {
 public:
  // Counts a packed batch. DataLoss (BATCH_CORRUPT) if it is none.
  absl::Status Add(absl::string_view batch);
  void AddTo(v1::RunEnd& end) const;

 private:
  std::map<std::pair<std::string, std::string>, int64_t> values_;  // by name and type
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_RUN_FIELDS_H_
