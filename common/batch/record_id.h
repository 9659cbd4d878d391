// Identity of records. A record id is a hash of profile, key and content; a record key is a hash of profile and the
// dims that identify it. Same id: same content, seen again. Same key with another id: another version.
//
// docs/formats/record_id.md gives the definition: XXH3-128 over the 128-bit digests of the fields in canonical order,
// so the id does not depend on column order, batch layout, dictionary, or machine.
#ifndef CHARTLY_COMMON_BATCH_RECORD_ID_H_
#define CHARTLY_COMMON_BATCH_RECORD_ID_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/batch/batch.h"

namespace chartly {

// 128 bits; plain value, hashable with absl::Hash.
struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
  auto operator<=>(const Hash128&) const = default;
  std::string ToHex() const;  // 32 lower-case digits, high first
  template <typename H>
  friend H AbslHashValue(H state, const Hash128& hash) {
    return H::combine(std::move(state), hash.low);
  }
};

struct RecordIds {
  std::vector<Hash128> ids;   // one a row
  std::vector<Hash128> keys;  // one a row
};

// Ids and keys of all rows of a batch.
RecordIds ComputeRecordIds(const Batch& batch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_RECORD_ID_H_
