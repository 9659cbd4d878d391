// The conditions of a record query, bound to the columns of one batch after another.
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
  bool Matches(uint32_t row) const;

 private:
  struct Condition {
    Expression expression;
    std::vector<std::pair<Role, std::string>> names;
    std::vector<std::vector<const BatchColumn*>> columns;  // one list a name, one column a type
  };
  std::vector<Condition> conditions_;
};

// "dims.geo.iso" gives kDim and "geo.iso". False if the prefix is none of dims., measures., attrs.
bool SplitFieldName(absl::string_view name, Role& role, std::string& rest);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_FILTER_H_
