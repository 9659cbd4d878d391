// The functions of `using:` for whoever has values instead of rows: reports give the keys of two sources one form with
// them. Immutable and thread-safe.
#ifndef CHARTLY_COMMON_NORMALIZE_VALUE_PIPELINE_H_
#define CHARTLY_COMMON_NORMALIZE_VALUE_PIPELINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/value/value.h"

namespace chartly {

class Function;

class ValuePipeline {
 public:
  // Each entry is one call, as in a profile: "pad_left 5 0". InvalidArgument: FUNCTION_CALL_INVALID, FUNCTION_UNKNOWN,
  // FUNCTION_ARGUMENTS_INVALID.
  static absl::StatusOr<ValuePipeline> Compile(const std::vector<std::string>& calls);
  // InvalidArgument (VALUE_INVALID) if a function refuses the value.
  absl::StatusOr<Value> Apply(const Value& value) const;

  ValuePipeline();
  ~ValuePipeline();
  ValuePipeline(ValuePipeline&&) noexcept;
  ValuePipeline& operator=(ValuePipeline&&) noexcept;

 private:
  std::vector<std::unique_ptr<const Function>> functions_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_VALUE_PIPELINE_H_
