// The keys of two tables on one scale: as places among the values of both, key column by key column, and as whole
// numbers, which are equal where keys are and in their order. Internal to the join. Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_JOIN_KEYS_H_
#define CHARTLY_CONTROL_REPORTER_JOIN_KEYS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/reporter/dictionary_merges.h"
#include "control/reporter/join.h"

namespace chartly::reporter {

// A row whose key has a missing part; in order it comes last.
inline constexpr uint64_t kNullKey = ~uint64_t{0};

// One key column of a side, with the place of each of its codes among the values of both sides.
struct KeyColumn {
  const Column* column = nullptr;
  std::shared_ptr<const Column> made;  // what `column` points to, if the table has it as a measure
  std::vector<uint32_t> places;        // empty if each code is its place
  // The places of rows that follow each other; kNullCode where the key is missing.
  void CopyPlaces(size_t first, size_t count, uint32_t* out) const;
};

struct JoinKeys {
  // Made by NumberKeys, one a row.
  BigVector<uint64_t> left;
  BigVector<uint64_t> right;
  size_t left_rows = 0;
  size_t right_rows = 0;
  std::vector<KeyColumn> left_columns;
  std::vector<KeyColumn> right_columns;
  std::vector<DictionaryPtr> values;  // of both sides, a key column each
  // If the last key is the nearest: a key is (equal keys) * last_values + (code of the last).
  uint64_t last_values = 1;
  std::vector<KeyKinds> kinds;
  std::vector<std::string> notes;
};

// Without the numbers. `merges`, if given, has what was merged before. The tables must outlive them.
absl::StatusOr<JoinKeys> MakeJoinKeys(const Table& left, const Table& right, const std::vector<JoinKey>& keys,
                                      DictionaryMerges* merges);
void NumberKeys(JoinKeys& keys);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_JOIN_KEYS_H_
