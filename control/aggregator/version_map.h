// Which rows of which chunks are not the newest version of their record any more.
//
// Thread-safe. Readers take a snapshot: they see all commits up to its `visible_chunk` and nothing of later ones, so
// a record never shows two newest versions, nor none. Snapshots share memory with the map; a commit copies only the
// sets it changes.
#ifndef CHARTLY_CONTROL_AGGREGATOR_VERSION_MAP_H_
#define CHARTLY_CONTROL_AGGREGATOR_VERSION_MAP_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "control/aggregator/dedupe_index.h"
#include "control/aggregator/row_set.h"

namespace chartly::aggregator {

class VersionMap {
 public:
  using Chunks = absl::flat_hash_map<uint64_t, std::shared_ptr<const RowSet>>;
  struct Snapshot {
    uint64_t visible_chunk = 0;
    Chunks superseded;
    // Takes the rows out of `rows` that are not newest.
    void KeepCurrent(uint64_t chunk, RowSet& rows) const;
  };
  // Rows of one profile that were superseded.
  struct Marks {
    std::string profile_id;
    std::vector<RowLocation> rows;
  };

  // Publishes a commit: everything up to `visible_chunk`, with these rows superseded.
  void Publish(const std::vector<Marks>& marks, uint64_t visible_chunk);
  Snapshot Take(absl::string_view profile_id) const;

 private:
  mutable absl::Mutex mu_;
  std::map<std::string, Chunks, std::less<>> profiles_ ABSL_GUARDED_BY(mu_);
  uint64_t visible_chunk_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_VERSION_MAP_H_
