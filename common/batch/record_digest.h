// The pieces of a record id, as docs/formats/record_id.md defines them: what computing it from batches and from chunks
// shares. Pure functions.
#ifndef CHARTLY_COMMON_BATCH_RECORD_DIGEST_H_
#define CHARTLY_COMMON_BATCH_RECORD_DIGEST_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/batch/batch.h"
#include "common/batch/record_id.h"

namespace chartly {

// A digest as it goes into the hash of the record: low half first, little-endian.
inline constexpr size_t kDigestBytes = 16;
// Keep ids and keys apart: the same fields must not give the same hash for both.
inline constexpr uint64_t kRecordIdSeed = 0;
inline constexpr uint64_t kRecordKeySeed = 1;

Hash128 HashBytes(absl::string_view bytes, uint64_t seed);
// Writes kDigestBytes.
void StoreDigest(const Hash128& digest, char* to);
// What precedes the canonical value of a field in its digest: role and name.
std::string FieldPrefix(Role role, absl::string_view name);

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_RECORD_DIGEST_H_
