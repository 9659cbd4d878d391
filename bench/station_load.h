// Hourly readings of stations as the benchmarks of the store send them: four dims, two measures, no record twice.
#ifndef CHARTLY_BENCH_STATION_LOAD_H_
#define CHARTLY_BENCH_STATION_LOAD_H_

#include <cstdint>
#include <string>

namespace chartly::bench {

inline constexpr uint32_t kStationRows = 8192;  // of a batch

// The packed batch `number` of the drone `stream`, the same every time. Ends the program if it cannot be made.
std::string MakeStationBatch(uint64_t stream, uint64_t number);

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_STATION_LOAD_H_
