// Reads a log of the store, a write-ahead log or a manifest, and compares every record with its checksum before RocksDB
// opens it. RocksDB takes some damage for the end of a log, in every recovery mode: a length that leads beyond the end
// of the file looks like a record that was being written, and a type of another generation like what an earlier log
// left there. One flipped bit would then take all that was acknowledged after it along, and nobody would be told.
#ifndef CHARTLY_COMMON_KV_LOG_CHECK_H_
#define CHARTLY_COMMON_KV_LOG_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace chartly {

struct LogDamage {
  std::string what;  // for people
  uint64_t at = 0;   // where the first record begins that is not as it was written; all before it is
};

// The damage of a file, or nothing. A half-written record at the very end, which a killed process or a power cut
// leaves, is no damage, nor are zeros up to the end. Another process may append meanwhile. Unavailable if the file
// cannot be read.
absl::StatusOr<std::optional<LogDamage>> FindLogDamage(const std::string& file);

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_LOG_CHECK_H_
