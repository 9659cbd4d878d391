// Between what the values of a field lie wherever an expression holds, as far as that is plain to see: what lets a
// reader pass over rows without looking at them. Pure functions.
#ifndef CHARTLY_COMMON_NORMALIZE_FIELD_BOUNDS_H_
#define CHARTLY_COMMON_NORMALIZE_FIELD_BOUNDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/value/value.h"

namespace chartly {

// A row for which the expression holds has the field, and its value, if it is of the class of a bound (a number, a
// text), is not beyond it. Of other classes nothing is said: text that reads as a number compares as one with a number.
struct FieldBounds {
  std::string name;  // as the expression names it
  std::optional<Value> least;
  std::optional<Value> greatest;
};

// One for each comparison with a number or a text that must hold, so a name may come several times. Empty if nothing is
// known, or the expression does not parse.
std::vector<FieldBounds> BoundsOf(absl::string_view expression);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_FIELD_BOUNDS_H_
