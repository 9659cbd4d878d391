// Finds the name a writer probably meant. Pure.
#ifndef CHARTLY_COMMON_PROFILE_NEAREST_H_
#define CHARTLY_COMMON_PROFILE_NEAREST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly {

// Letters to insert, delete, replace or swap (with a neighbour) to make `a` from `b`.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The member of `known` with the smallest distance to `name`; the first of several. Requires: known is not empty.
std::string NearestName(absl::string_view name, const std::vector<std::string>& known);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_NEAREST_H_
