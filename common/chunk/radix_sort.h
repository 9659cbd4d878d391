// Sorting numbers by some of their bits, in a few passes over all of them.
#ifndef CHARTLY_COMMON_CHUNK_RADIX_SORT_H_
#define CHARTLY_COMMON_CHUNK_RADIX_SORT_H_

#include <cstdint>
#include <vector>

#include "absl/numeric/int128.h"

namespace chartly {

// Sorts by all but the lowest `low_bits` bits, by which the numbers are in order already: so they are in order then.
void SortByUpperBits(int low_bits, std::vector<uint64_t>& numbers);
void SortByUpperBits(int low_bits, std::vector<absl::uint128>& numbers);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_RADIX_SORT_H_
