// What the tests of the spool share.
#ifndef CHARTLY_DRONE_SPOOL_SPOOL_FIXTURE_TEST_H_
#define CHARTLY_DRONE_SPOOL_SPOOL_FIXTURE_TEST_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status.h"
#include "drone/spool/spool.h"
#include "test/support/test.h"

namespace chartly::drone {

inline std::unique_ptr<Spool> OpenSpool(const std::string& path, SpoolOptions options = {}) {
  options.path = path;
  absl::StatusOr<std::unique_ptr<Spool>> spool = Spool::Open(std::move(options));
  REQUIRE_OK(spool);
  return *std::move(spool);
}

// Small segments, and no waiting for the disk.
inline SpoolOptions SmallSegments() {
  SpoolOptions options;
  options.segment_bytes = 2048;
  options.sync_for_test = [](int) { return 0; };
  return options;
}

inline v1::RunEnd RunOf(const std::string& run_id) {
  v1::RunEnd run;
  run.set_run_id(run_id);
  run.set_profile_id("profile-of-" + run_id);
  return run;
}

// Everything from `from_seq` on, across gaps.
inline std::vector<SpoolEntry> ReadAll(Spool& spool, int64_t from_seq = 1, size_t max_bytes = 4096) {
  std::vector<SpoolEntry> all;
  while (true) {
    absl::StatusOr<std::vector<SpoolEntry>> some = spool.Read(from_seq, max_bytes);
    REQUIRE_OK(some);
    if (some->empty()) return all;
    for (SpoolEntry& entry : *some) {
      from_seq = entry.seq + 1;
      all.push_back(std::move(entry));
    }
  }
}

inline std::vector<std::string> FilesWith(const std::string& path, const std::string& suffix) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::string name = entry.path().string();
    if (name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_SPOOL_FIXTURE_TEST_H_
