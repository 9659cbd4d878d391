#include "control/aggregator/version_map.h"

namespace chartly::aggregator {

void VersionMap::Snapshot::KeepCurrent(uint64_t chunk, RowSet& rows) const {
  auto it = superseded.find(chunk);
  if (it != superseded.end()) rows.RemoveAll(*it->second);
}

void VersionMap::Publish(const std::vector<Marks>& marks, uint64_t visible_chunk) {
  absl::MutexLock lock(&mu_);
  for (const Marks& profile : marks) {
    if (profile.rows.empty()) continue;
    Chunks& chunks = profiles_[profile.profile_id];
    // A set is copied once a publish, however many of its rows are marked.
    absl::flat_hash_map<uint64_t, std::shared_ptr<RowSet>> changed;
    for (RowLocation location : profile.rows) {
      std::shared_ptr<RowSet>& rows = changed[LocationChunk(location)];
      if (rows == nullptr) {
        auto old = chunks.find(LocationChunk(location));
        rows = old == chunks.end() ? std::make_shared<RowSet>() : std::make_shared<RowSet>(*old->second);
      }
      rows->Add(LocationRow(location));
    }
    for (auto& [chunk, rows] : changed) chunks[chunk] = std::move(rows);
  }
  visible_chunk_ = visible_chunk;
}

VersionMap::Snapshot VersionMap::Take(absl::string_view profile_id) const {
  absl::MutexLock lock(&mu_);
  auto it = profiles_.find(std::string(profile_id));
  return {visible_chunk_, it == profiles_.end() ? Chunks{} : it->second};
}

}  // namespace chartly::aggregator
