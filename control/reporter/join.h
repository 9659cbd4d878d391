// An inner join of any number of sides on equal keys, in memory. Keys that occur several times on a side multiply, as
// in SQL. Rows come out in order of key, equal keys in order of their measures, whatever order they went in: the same
// records give the same answer.
//
// Use: Add every row of side 0, then of side 1, and so on; Finish; then read. Side 0 is held whole, of the others only
// the rows whose key side 0 has. Not thread-safe; the reservation must outlive the join.
#ifndef CHARTLY_CONTROL_REPORTER_JOIN_H_
#define CHARTLY_CONTROL_REPORTER_JOIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "control/reporter/key_examples.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/value_column.h"

namespace chartly::reporter {

// What became of the rows of one side.
struct JoinSide {
  int64_t unmatched = 0;      // rows whose key some other side lacks, or that lack a dim of the key
  int64_t repeated_keys = 0;  // joined keys that occur more than once here
  std::vector<std::string> unmatched_examples;
};

class Join {
 public:
  Join(size_t sides, size_t key_width, int64_t max_rows, Reservation& reservation);

  // `key` is the key parts of all dims one after the other. With `has_null` the row matches nothing, unless there is
  // only one side. ResourceExhausted (REPORT_TOO_LARGE) if the budget has no more.
  absl::Status Add(size_t side, absl::string_view key, bool has_null, DimLookup dim, const Value& measure);
  // Orders keys and counts. ResourceExhausted (REPORT_TOO_LARGE) if more than max_rows rows would come out.
  absl::Status Finish();

  // Requires: Finish was OK, for all below.
  int64_t rows() const { return row_count_; }
  const JoinSide& side(size_t i) const { return sides_[i].result; }
  // Calls `visit` for each joined row until it says false, with the key and the place of the row on each side.
  void Visit(absl::FunctionRef<bool(uint32_t key, const std::vector<uint32_t>& places)> visit) const;
  const Value& KeyValue(uint32_t key, size_t dim) const { return key_values_[size_t{key} * key_width_ + dim]; }
  Value Measure(size_t side, uint32_t place) const { return sides_[side].measures.Get(place); }

 private:
  struct Side {
    explicit Side(size_t key_width) : examples(key_width) {}
    std::vector<uint32_t> keys;    // of each held row
    ValueColumn measures;          // of each held row
    std::vector<uint32_t> starts;  // where the rows of a key begin in `order`; made by Finish
    std::vector<uint32_t> order;   // held rows, by key
    KeyExamples examples;
    JoinSide result;
  };
  absl::StatusOr<uint32_t> InternKey(absl::string_view key, DimLookup dim);
  absl::Status Group(Side& side);
  void SortRepeated(Side& side) const;
  // Rows that the key gives: the product of its rows on all sides; 0 if a side lacks it.
  int64_t Product(uint32_t key) const;
  uint32_t CountOf(const Side& side, uint32_t key) const { return side.starts[key + 1] - side.starts[key]; }
  void CountUnmatched(uint32_t key);

  const size_t key_width_;
  const int64_t max_rows_;
  Reservation& reservation_;
  absl::flat_hash_map<std::string, uint32_t> key_ids_;
  std::vector<Value> key_values_;  // key_width_ a key
  std::vector<Side> sides_;
  std::vector<uint32_t> joined_keys_;  // in order
  int64_t row_count_ = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_JOIN_H_
