// A stable radix sort of rows by whole numbers. Pure function.
#ifndef CHARTLY_CONTROL_REPORTER_KEY_SORT_H_
#define CHARTLY_CONTROL_REPORTER_KEY_SORT_H_

#include <cstdint>

#include "control/reporter/big_vector.h"

namespace chartly::reporter {

// The places 0 .. keys.size() - 1 in order of their keys; equal keys stay in order. Takes 32 bytes a key meanwhile, or
// nothing if they are in order already.
BigVector<uint32_t> SortedByKey(const BigVector<uint64_t>& keys);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_KEY_SORT_H_
