// The two profiles that the benchmarks of reports join: records of (geo, time) with one measure each, the same every
// time, in sealed chunks as the store keeps them. Not thread-safe.
#ifndef CHARTLY_BENCH_REPORT_LOAD_H_
#define CHARTLY_BENCH_REPORT_LOAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/reporter/batch_source.h"

namespace chartly::bench {

class ReportLoad final : public reporter::BatchSource {
 public:
  // "left" with the measure x and "right" with y, of `rows` records each, in order of (geo, time).
  explicit ReportLoad(int64_t rows);
  absl::Status Scan(const std::string& profile_id, const reporter::ScanSpan* only, Take take) override;
  absl::StatusOr<std::vector<reporter::KeyStretch>> Outline(const std::string& profile_id,
                                                            const std::string& dim) override;

 private:
  // A chunk, and what the store keeps beside it.
  struct Chunk {
    std::string bytes;
    std::map<std::string, reporter::KeyStretch> stretches;  // by dim
  };
  void Add(int side, int64_t begin, int64_t end, int64_t rows);
  std::map<std::string, std::vector<Chunk>> chunks_;
};

// Runs bench/duckdb_peer.py, which says so if DuckDB is not there.
void RunDuckDb(const std::string& figure, int64_t rows);

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_REPORT_LOAD_H_
