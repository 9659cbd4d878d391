#include "control/reporter/pair_runs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::reporter {

absl::Status PairRuns::CheckRoom(size_t left, size_t right) const {
  const auto room = static_cast<size_t>(rows_max_) - left_rows.size();
  if (right == 0 || left <= room / right) return absl::OkStatus();
  return Error(
      absl::StatusCode::kResourceExhausted, "REPORT_TOO_LARGE",
      absl::StrCat("the join gives more than ", rows_max_, " rows; join on more dims, or add a filter to an input"),
      {{"limit_rows", absl::StrCat(rows_max_)}});
}

absl::Status PairRuns::Add(uint32_t left, uint32_t right, size_t count) {
  RETURN_IF_ERROR(CheckRoom(count, 1));
  left_rows.AddRun(left, count);
  right_rows.AddRun(right, count);
  return Pay();
}

// Many at a time: most runs are long, or many.
absl::Status PairRuns::Pay() {
  const int64_t bytes = Bytes();
  if (bytes <= paid_) return absl::OkStatus();
  const int64_t more = std::max(bytes - paid_, std::clamp<int64_t>(bytes / 4, 256, 1 << 16));
  paid_ += more;
  return reservation_.Grow(more);
}

absl::Status PairRuns::Append(const PairRuns& other) {
  RETURN_IF_ERROR(CheckRoom(other.left_rows.size(), 1));
  left_rows.Append(other.left_rows);
  right_rows.Append(other.right_rows);
  paid_elsewhere_ += other.paid_;
  return Pay();
}

}  // namespace chartly::reporter
