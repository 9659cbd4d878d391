// What timestamps are counted in: microseconds.
#ifndef CHARTLY_COMMON_VALUE_TIME_UNITS_H_
#define CHARTLY_COMMON_VALUE_TIME_UNITS_H_

#include <cstdint>

namespace chartly {

inline constexpr int64_t kMicrosPerSecond = 1'000'000;
inline constexpr int64_t kMicrosPerMinute = 60 * kMicrosPerSecond;
inline constexpr int64_t kMicrosPerHour = 60 * kMicrosPerMinute;
inline constexpr int64_t kMicrosPerDay = 24 * kMicrosPerHour;

}  // namespace chartly

#endif  // CHARTLY_COMMON_VALUE_TIME_UNITS_H_
