// Units that `convert` knows, with exact factors. Pure.
#ifndef CHARTLY_COMMON_NORMALIZE_UNIT_TABLE_H_
#define CHARTLY_COMMON_NORMALIZE_UNIT_TABLE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/normalize/decimal_math.h"

namespace chartly {

// to = (from + before) * ratio + after.
struct UnitConversion {
  Decimal before;
  Ratio ratio;
  Decimal after;
};

// InvalidArgument (FUNCTION_ARGUMENTS_INVALID) if a unit is not known, or the two do not measure the same.
absl::StatusOr<UnitConversion> FindConversion(absl::string_view from, absl::string_view to);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_UNIT_TABLE_H_
