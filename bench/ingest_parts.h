// What the parts of an ingest cost when each is done alone, one after another on one core, with the same batches: so it
// shows of what the whole is made, and what it could be.
#ifndef CHARTLY_BENCH_INGEST_PARTS_H_
#define CHARTLY_BENCH_INGEST_PARTS_H_

#include <string>
#include <vector>

namespace chartly::bench {

struct Part {
  std::string name;
  double cpu = 0;  // seconds
};

// `commits`: in how many synced writes the batches go to the log. `dir`: where stores are made for it, a folder of its
// own. At most two million records.
std::vector<Part> MeasureParts(const std::vector<std::string>& batches, size_t commits, const std::string& dir);

// What sealing these batches takes, step by step and all together, and merging what came of it. `dir`: as above. At
// most two million records.
std::vector<Part> MeasureSealing(const std::vector<std::string>& batches, const std::string& dir);

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_INGEST_PARTS_H_
