// The keys of two tables as whole numbers of one scale: equal keys are equal numbers, and numbers are in the order of
// the keys. Internal to the join. Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_JOIN_KEYS_H_
#define CHARTLY_CONTROL_REPORTER_JOIN_KEYS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/reporter/join.h"

namespace chartly::reporter {

// A row whose key has a missing part; in order it comes last.
inline constexpr uint64_t kNullKey = ~uint64_t{0};

struct JoinKeys {
  std::vector<uint64_t> left;
  std::vector<uint64_t> right;
  // Each key column in the values of both sides, under its left name.
  std::vector<Column> left_columns;
  std::vector<Column> right_columns;
  // If the last key is the nearest: a key is (equal keys) * last_values + (code of the last).
  uint64_t last_values = 1;
  std::vector<std::string> notes;
};

absl::StatusOr<JoinKeys> MakeJoinKeys(const Table& left, const Table& right, const std::vector<JoinKey>& keys);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_JOIN_KEYS_H_
