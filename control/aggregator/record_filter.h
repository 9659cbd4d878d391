// The conditions of a record query, bound to the columns of one batch after another. A condition on a column with few
// distinct values is decided once for each of them.
//
// Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/batch/batch.h"
#include "common/normalize/expression.h"

namespace chartly::aggregator {

class RecordFilter {
 public:
  // InvalidArgument if a condition does not parse (EXPRESSION_INVALID) or a name does not begin with dims., measures.
  // or attrs. (FILTER_NAME_UNKNOWN).
  static absl::StatusOr<RecordFilter> Compile(const std::vector<std::string>& conditions);
  // The batch must outlive the next calls of Matches.
  void Bind(const Batch& batch);
  // Whether all conditions hold. A name that the batch does not have is null.
  bool Matches(uint32_t row);
  // The names of all conditions.
  std::vector<std::pair<Role, std::string>> names() const;

 private:
  using Columns = std::vector<const BatchColumn*>;  // one a type
  struct Condition {
    Expression expression;
    std::vector<std::pair<Role, std::string>> names;
    std::vector<Columns> columns;  // one list a name
    // Of a condition on one dictionary column alone: whether it holds for an entry, once that is known.
    const BatchColumn* dictionary = nullptr;
    std::vector<char> by_entry;
  };
  static bool Holds(Condition& condition, uint32_t row);
  std::vector<Condition> conditions_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_
