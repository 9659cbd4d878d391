// The smallest and the largest of some numbers. A pure function.
#ifndef CHARTLY_COMMON_CHUNK_NUMBER_RANGE_H_
#define CHARTLY_COMMON_CHUNK_NUMBER_RANGE_H_

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/types/span.h"

namespace chartly {

// Requires: not empty.
template <typename Number>
std::pair<Number, Number> LeastAndMost(absl::Span<const Number> numbers) {
  // Each lane waits only for itself.
  constexpr size_t kLanes = 4;
  Number least[kLanes] = {numbers[0], numbers[0], numbers[0], numbers[0]};
  Number most[kLanes] = {numbers[0], numbers[0], numbers[0], numbers[0]};
  size_t i = 0;
  for (; i + kLanes <= numbers.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      least[lane] = std::min(least[lane], numbers[i + lane]);
      most[lane] = std::max(most[lane], numbers[i + lane]);
    }
  }
  for (; i < numbers.size(); ++i) {
    least[0] = std::min(least[0], numbers[i]);
    most[0] = std::max(most[0], numbers[i]);
  }
  return {std::min({least[0], least[1], least[2], least[3]}), std::max({most[0], most[1], most[2], most[3]})};
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_NUMBER_RANGE_H_
