// What questions want to know of the batches that are not sealed yet before they read one: the ids of its rows, and
// between what the values of its key dims lie. In memory alone, the ids shared with the dedupe index; the committer
// fills it with what it has at hand when a batch becomes durable.
//
// Thread-safe. May lack batches, of which nothing is known then, and have some that are sealed or gone.
#ifndef CHARTLY_CONTROL_AGGREGATOR_UNSEALED_BATCHES_H_
#define CHARTLY_CONTROL_AGGREGATOR_UNSEALED_BATCHES_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/batch/record_id.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class UnsealedBatches {
 public:
  class Batch {
   public:
    Batch(std::shared_ptr<const RecordIds> ids, std::vector<DimRange> ranges)
        : ids_(std::move(ids)), ranges_(std::move(ranges)) {}
    // Whether a row has it, stored or not.
    bool Has(const Hash128& id) const;
    // Of all its rows, stored or not.
    const std::shared_ptr<const RecordIds>& ids() const { return ids_; }
    // As KeyRangesOf gives them.
    const std::vector<DimRange>& ranges() const { return ranges_; }

   private:
    const std::shared_ptr<const RecordIds> ids_;
    const std::vector<DimRange> ranges_;
  };
  using BatchPtr = std::shared_ptr<const Batch>;

  void Add(std::vector<std::pair<uint64_t, BatchPtr>> batches);
  void Remove(const std::vector<uint64_t>& numbers);
  void Clear();
  // Null if nothing is known of the batch.
  BatchPtr Find(uint64_t number) const;
  size_t size() const;

 private:
  mutable absl::Mutex mu_;
  absl::flat_hash_map<uint64_t, BatchPtr> batches_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_UNSEALED_BATCHES_H_
