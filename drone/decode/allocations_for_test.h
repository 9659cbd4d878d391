// How many allocations this test program has made, in all threads: what a hot path must not do.
#ifndef CHARTLY_DRONE_DECODE_ALLOCATIONS_FOR_TEST_H_
#define CHARTLY_DRONE_DECODE_ALLOCATIONS_FOR_TEST_H_

#include <cstdint>

namespace chartly::drone {

int64_t AllocationsForTest();

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_ALLOCATIONS_FOR_TEST_H_
