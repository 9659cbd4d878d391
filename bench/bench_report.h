// What the benchmarks share: command line, a folder on a real disk, clocks, medians. Not thread-safe.
#ifndef CHARTLY_BENCH_BENCH_REPORT_H_
#define CHARTLY_BENCH_BENCH_REPORT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace chartly::bench {

struct BenchFlags {
  bool quick = false;  // ends within 20 s
  int64_t rows = 0;    // of a side, where a benchmark takes it; 0: as many as it sees fit
  std::string dir;     // where to measure; empty: the temporary folder, or the current one if that lies in memory
};

// Reads --quick, --rows=N and --dir=PATH; ends the program with 2 for anything else.
BenchFlags ParseFlags(int argc, char** argv);

// A new folder on a real disk; removed at the end.
class BenchDir {
 public:
  explicit BenchDir(const std::string& parent);
  ~BenchDir();
  BenchDir(const BenchDir&) = delete;
  BenchDir& operator=(const BenchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Wall and CPU seconds of this process, and CPU of its children that ended, since its making.
class Stopwatch {
 public:
  Stopwatch();
  double Wall() const;
  double Cpu() const;

 private:
  std::chrono::steady_clock::time_point wall_;
  double cpu_;
};

double Median(std::vector<double> values);

// Appends to the file in one write and has the disk keep it.
bool AppendSynced(int fd, const std::string& bytes);
// Seconds to append `bytes` in `pieces` equal writes, each followed by fdatasync; negative if it failed.
double RawSyncedWrite(const std::string& dir, size_t bytes, size_t pieces);

// One measured figure of a table. Figures of one group are compared with each other.
struct Figure {
  std::string group;  // what is measured: "JSON lines, one core"
  std::string kind;   // "ours", "peer" or "limit"
  std::string name;   // whose figure it is, as a table names it
  double value = 0;
  std::string unit;  // "MB/s"
  bool less_is_better = false;
  double bound = 0;  // what ours is to reach; 0: nothing is asked of it
};

// Adds the figure to the file that CHARTLY_BENCH_FIGURES names, as bench/figures.py reads it; without it, does nothing.
void RecordFigure(const Figure& figure);

// Ends the program with 1 and says why it could not measure.
void RequireOk(const absl::Status& status, const std::string& what);

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_BENCH_REPORT_H_
