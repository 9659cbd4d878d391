// What the records of one profile hold, as far as it takes to see what they share with others: the values of each dim
// and how many numbers each measure has. Bounded in memory whatever the profile holds.
//
// Not thread-safe. Use: Take every batch, then read.
#ifndef CHARTLY_CONTROL_REPORTER_PROFILE_SKETCH_H_
#define CHARTLY_CONTROL_REPORTER_PROFILE_SKETCH_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "control/reporter/record_rows.h"

namespace chartly::reporter {

// Values of one dim that are remembered; of more, those with the smallest hashes, which are a fair sample of any set.
inline constexpr size_t kMaxSketchValues = 20'000;

struct DimSketch {
  absl::flat_hash_set<uint64_t> exact;  // hashes of the values as they join
  absl::flat_hash_set<uint64_t> loose;  // of texts without blanks at the ends, case and leading zeros
  uint64_t bound = ~uint64_t{0};        // hashes above it were left out
  bool text = false;                    // some value is text
};

class ProfileSketch {
 public:
  // DataLoss (BATCH_CORRUPT) if the batch is damaged.
  absl::Status Take(const RecordPiece& piece);
  const std::map<std::string, DimSketch>& dims() const { return dims_; }
  // Rows with a number, by measure.
  const std::map<std::string, int64_t>& measures() const { return measures_; }
  int64_t records() const { return records_; }

 private:
  std::map<std::string, DimSketch> dims_;
  std::map<std::string, int64_t> measures_;
  int64_t records_ = 0;
};

// How many values two dims share and have, both looked at up to the same bound.
struct Overlap {
  int64_t shared = 0;
  int64_t left = 0;
  int64_t right = 0;
  // Of the smaller side.
  double part() const;
};
Overlap ExactOverlap(const DimSketch& left, const DimSketch& right);
Overlap LooseOverlap(const DimSketch& left, const DimSketch& right);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_PROFILE_SKETCH_H_
