// The keys of the embedded record store (docs/formats/store.md). Every key begins with the tenant and a zero byte,
// then a letter for its kind; names end with a zero byte, numbers are big-endian, so that prefixes scan in order.
#ifndef CHARTLY_CONTROL_AGGREGATOR_STORE_KEYS_H_
#define CHARTLY_CONTROL_AGGREGATOR_STORE_KEYS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/kv/kv_store.h"

namespace chartly::aggregator {

class StoreKeys {
 public:
  explicit StoreKeys(absl::string_view tenant);

  std::string Format() const { return Kind('f'); }
  std::string LastBatch() const { return Kind('l'); }
  // Commits: the last batch number of each.
  std::string AckPrefix() const { return Kind('a'); }
  std::string Ack(uint64_t batch) const { return Number('a', batch); }
  std::string ChunkBatch(uint64_t chunk) const { return Number('c', chunk); }
  std::string Meta(uint64_t chunk) const { return Number('m', chunk); }
  std::string MetaPrefix() const { return Kind('m'); }
  // Chunks of a profile; no value.
  std::string ProfileChunkPrefix(absl::string_view profile_id) const { return Name('p', profile_id); }
  std::string ProfileChunk(absl::string_view profile_id, uint64_t chunk) const;
  // Unsealed chunks; no value.
  std::string UnsealedPrefix() const { return Kind('t'); }
  std::string UnsealedPrefix(absl::string_view profile_id) const { return Name('t', profile_id); }
  std::string Unsealed(absl::string_view profile_id, uint64_t chunk) const;
  // Parts by profile and first batch; their chunks, and those set aside.
  std::string PartPrefix() const { return Kind('g'); }
  std::string Part(absl::string_view profile_id, uint64_t first_batch) const;
  std::string SealedChunkPrefix() const { return Kind('k'); }
  std::string SealedChunkPrefix(uint64_t part) const { return Number('k', part); }
  std::string SealedChunk(uint64_t part, uint64_t index) const;
  std::string DamagedChunkPrefix() const { return Kind('z'); }
  std::string DamagedChunk(uint64_t part, uint64_t index) const;
  // Rows of a chunk that were newest until a batch: profile, chunk, batch number.
  std::string SupersededPrefix(absl::string_view profile_id) const { return Name('v', profile_id); }
  std::string Superseded(absl::string_view profile_id, uint64_t chunk, uint64_t batch) const;
  // Rows of a run: run, chunk, batch number.
  std::string RunRowsPrefix(absl::string_view run_id) const { return Name('u', run_id); }
  std::string RunRows(absl::string_view run_id, uint64_t chunk, uint64_t batch) const;
  std::string Run(absl::string_view run_id) const { return Name('r', run_id); }
  std::string RunPrefix() const { return Kind('r'); }
  std::string Drone(absl::string_view drone_id) const { return Name('e', drone_id); }
  std::string DronePrefix() const { return Kind('e'); }
  std::string SpoolPrefix() const { return Kind('d'); }
  std::string Spool(absl::string_view drone_id, absl::string_view spool_id) const;
  std::string Profile(absl::string_view profile_id) const { return Name('n', profile_id); }
  std::string ProfilePrefix() const { return Kind('n'); }
  // Deletions of a profile by when they began, and holds.
  std::string DeletionPrefix() const { return Kind('w'); }
  std::string DeletionPrefix(absl::string_view profile_id) const { return Name('w', profile_id); }
  std::string Deletion(absl::string_view profile_id, uint64_t number) const;
  std::string Hold(absl::string_view profile_id) const { return Name('h', profile_id); }
  std::string HoldPrefix() const { return Kind('h'); }
  // Quarantine id: run ordinal inverted, so that newer runs come first, then batch number and index.
  static constexpr size_t kQuarantineIdBytes = 20;
  static std::string QuarantineId(uint64_t run_ordinal, uint64_t batch, uint32_t index);
  static std::string QuarantineRunPrefix(uint64_t run_ordinal);
  std::string Quarantine(absl::string_view id) const { return Kind('q').append(id.data(), id.size()); }
  // The same ids by profile; no value.
  std::string ProfileQuarantine(absl::string_view profile_id, absl::string_view id) const;

 private:
  std::string Kind(char kind) const;
  std::string Number(char kind, uint64_t number) const;
  std::string Name(char kind, absl::string_view name) const;

  std::string tenant_;
};

// The tenants that have keys in the store, each once.
absl::StatusOr<std::vector<std::string>> TenantsIn(const KvReader& kv);
// The last name of a key that ends with one; the number it ends with.
absl::string_view KeyName(absl::string_view key, size_t prefix);
uint64_t KeyNumber(absl::string_view key);
// A prefix and a number behind it.
std::string NumberedKey(absl::string_view prefix, uint64_t number);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_STORE_KEYS_H_
