// Reads the batches that are not sealed into the dedupe index, as a start needs it: several at a time, each read and
// hashed by one of a few threads, and taken in, in order, by one after another.
#ifndef CHARTLY_CONTROL_AGGREGATOR_UNSEALED_LOADER_H_
#define CHARTLY_CONTROL_AGGREGATOR_UNSEALED_LOADER_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "control/aggregator/dedupe_index.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/unsealed_batches.h"

namespace chartly::aggregator {

// Rows of unsealed batches are read when the store is opened, so their number bounds how long that takes.
inline constexpr uint64_t kMaxUnsealedRows = uint64_t{6} << 20;

struct LoadedBatches {
  std::map<std::string, uint64_t> rows;  // stored, by profile
  // Batches that are damaged. They are left out: their records are stored anew when they are sent again.
  size_t damaged = 0;
  std::string first_damage;  // for people
};

// Takes all unsealed batches up to number `last_batch` into both. Nobody else may use the index meanwhile. Errors of
// the disk, as the store gives them.
absl::StatusOr<LoadedBatches> LoadUnsealed(const RecordStore& store, uint64_t last_batch, DedupeIndex& index,
                                           UnsealedBatches& batches);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_UNSEALED_LOADER_H_
