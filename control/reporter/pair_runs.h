// The rows of a join as they are found, within its limits. Not thread-safe; the reservation must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_PAIR_RUNS_H_
#define CHARTLY_CONTROL_REPORTER_PAIR_RUNS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/row_runs.h"

namespace chartly::reporter {

// Errors: ResourceExhausted (REPORT_TOO_LARGE) if there are more rows than may be, or the reservation has no more.
class PairRuns {
 public:
  PairRuns(int64_t rows_max, Reservation& reservation) : rows_max_(rows_max), reservation_(reservation) {}

  // Whether `left` times `right` rows more may be.
  absl::Status CheckRoom(size_t left, size_t right) const;
  // Rows of both sides that go together one by one; kNoRow for none of a side.
  absl::Status Add(uint32_t left, uint32_t right, size_t count);
  // After adding to left_rows and right_rows otherwise: takes from the reservation what the runs came to.
  absl::Status Pay();
  // Puts those of another behind its own. What the other took stays taken until the join ends.
  absl::Status Append(const PairRuns& other);
  // Gives back what is not held by the runs as they are. To be called last.
  void Settle() { reservation_.Shrink(paid_ + paid_elsewhere_ - Bytes()); }
  // Gives back all that it took itself; the rows are then of no use.
  void Drop() { reservation_.Shrink(paid_); }

  RowRuns left_rows;
  RowRuns right_rows;

 private:
  int64_t Bytes() const { return static_cast<int64_t>(left_rows.runs() + right_rows.runs()) * RowRuns::kBytesPerRun; }

  const int64_t rows_max_;
  Reservation& reservation_;
  int64_t paid_ = 0;            // bytes that the reservation has for the runs
  int64_t paid_elsewhere_ = 0;  // of those that were appended
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_PAIR_RUNS_H_
