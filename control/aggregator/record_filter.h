// The conditions of a record query, bound to the columns of one block after another. A condition on a text column with
// few distinct values is decided once for each of them, and on a whole number once while it stays the same.
//
// Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/chunk/column_data.h"
#include "common/normalize/expression.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class RecordFilter {
 public:
  // InvalidArgument if a condition does not parse (EXPRESSION_INVALID) or a name does not begin with dims., measures.
  // or attrs. (FILTER_NAME_UNKNOWN).
  static absl::StatusOr<RecordFilter> Compile(const std::vector<std::string>& conditions);
  // The columns must outlive the next calls of Matches.
  void Bind(const ColumnSet& columns);
  // Whether all conditions hold. A name without a column is null.
  bool Matches(uint32_t row);
  // False if no row of a sealed chunk matches, by the ranges of its key dims.
  bool MayBeIn(const PartMeta& part, uint32_t chunk) const;
  // The names of all conditions.
  std::vector<std::pair<Role, std::string>> names() const;

 private:
  using Columns = std::vector<const ColumnData*>;  // one a type
  struct Condition {
    Expression expression;
    std::vector<std::pair<Role, std::string>> names;
    std::vector<Columns> columns;  // one list a name
    // Of a condition on one column alone: whether it holds for a text entry, once that is known, or for the whole
    // number of the row before.
    const ColumnData* single = nullptr;
    std::vector<char> by_entry;
    std::optional<std::pair<int64_t, bool>> before;
  };
  // Of a dim, as sortable bytes; empty: no bound. `tag`: where in them the class of the value stands.
  struct Bound {
    std::string name;
    std::string least;
    std::string greatest;
    size_t tag = 0;
  };
  void AddBounds(const std::string& condition);
  static bool MayBeIn(const Bound& bound, const DimRange& range);
  static bool Holds(Condition& condition, uint32_t row);
  std::vector<Condition> conditions_;
  std::vector<Bound> bounds_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_
