// Finds versions in parts: what the dedupe index asks about keys that it does not hold itself. A filter a part rules
// out nearly all keys that are not there, and the ranges of its dims most of the others; what is left is looked up
// exactly, by sort key, in the one or two chunks where it would lie. Decoded chunks stay in memory, least recently used
// first out.
//
// Not thread-safe: the committer owns it.
#ifndef CHARTLY_CONTROL_AGGREGATOR_SEALED_INDEX_H_
#define CHARTLY_CONTROL_AGGREGATOR_SEALED_INDEX_H_

#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/chunk/column_data.h"
#include "control/aggregator/dedupe_index.h"
#include "control/aggregator/prepared_batch.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// Rows of a batch, and what becomes known of them; a row whose key is in no part is not in `found`.
struct SealedQuestion {
  const PreparedBatch* batch = nullptr;
  std::vector<uint32_t> rows;
  SealedVersions found;
};

class SealedIndex {
 public:
  // `cache_bytes` bounds the decoded chunks, but for one.
  SealedIndex(RecordStore& store, size_t cache_bytes) : store_(store), cache_bytes_(cache_bytes) {}

  // Takes the parts of the store as they are now.
  void Refresh() { parts_ = store_.AllParts(); }
  // False if no part can have the key of a row of the batch, by the ranges of its key dims.
  bool MayHaveKeysOf(const PreparedBatch& batch) const;

  // Fills in what the parts know of the rows of each question. Questions that come together share the chunks that are
  // read for them. A damaged chunk is set aside and taken for empty: its records are stored anew when they are sent
  // again. Other failures of the disk are returned.
  absl::Status Find(std::vector<SealedQuestion>& questions);

  size_t parts() const;
  size_t filter_bytes() const;
  size_t cached_bytes() const { return cached_bytes_; }

 private:
  struct Chunk {
    ColumnSet columns;
    bool whole = false;  // else only the key dims, of which there may be none
    uint32_t rows = 0;
    size_t bytes = 0;
  };
  using ChunkName = std::pair<uint64_t, uint32_t>;  // part, index
  struct Cached {
    std::shared_ptr<const Chunk> chunk;
    std::list<ChunkName>::iterator used;
  };
  // A row that is looked for.
  struct Wanted {
    std::string key;
    SealedQuestion* question;
    uint32_t row;
  };

  // Row of a chunk, and what it may be.
  using Matches = std::vector<std::pair<uint32_t, const Wanted*>>;

  absl::Status FindInParts(const PartList& parts, const std::vector<SealedQuestion*>& questions);
  absl::Status FindInPart(const Part& part, const std::vector<Wanted>& wanted);
  // Null if the chunk is damaged. With its key dims at least, or whole.
  absl::StatusOr<std::shared_ptr<const Chunk>> Get(const Part& part, uint32_t index, bool whole);
  void Keep(const ChunkName& name, std::shared_ptr<const Chunk> chunk);
  // Takes in the rows of a chunk that have the key of a wanted row.
  absl::Status Take(const Part& part, const Chunk& chunk, const Matches& matches);
  static Matches FindRows(const Chunk& chunk, const std::vector<std::string>& key, absl::Span<const Wanted> wanted);
  absl::StatusOr<int64_t> ObservedUs(uint64_t batch);

  RecordStore& store_;
  const size_t cache_bytes_;
  std::map<std::string, PartList> parts_;
  absl::flat_hash_map<ChunkName, Cached> cache_;
  std::list<ChunkName> used_;  // most recently used first
  size_t cached_bytes_ = 0;
  absl::flat_hash_map<uint64_t, int64_t> observed_us_;  // by batch, while one Find runs
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_SEALED_INDEX_H_
