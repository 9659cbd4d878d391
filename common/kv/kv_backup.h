// What is done with backups of a store that BackUp of kv_store.h made: read, restored, dropped. RocksDB's backup engine
// lies behind it. Nobody may back up into the folder meanwhile.
#ifndef CHARTLY_COMMON_KV_KV_BACKUP_H_
#define CHARTLY_COMMON_KV_KV_BACKUP_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/kv/kv_store.h"

namespace chartly {

// Reads a backup where it lies. NotFound (BACKUP_NOT_FOUND), DataLoss (BACKUP_CORRUPT), Unavailable (BACKUP_IO_ERROR).
absl::StatusOr<std::unique_ptr<KvReader>> OpenKvBackup(const std::string& folder, uint32_t number);

// Makes `path` the store as it was, with the checksums of all files compared on the way. Errors as OpenKvBackup, and
// ResourceExhausted (BACKUP_NO_SPACE); what was written by then stays. Requires: `path` is absent or empty.
absl::Status RestoreKvBackup(const std::string& folder, uint32_t number, const std::string& path);

// Removes all backups but these, and files that none of these needs. A folder that is absent has none.
absl::Status KeepKvBackups(const std::string& folder, const std::set<uint32_t>& numbers);

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_KV_BACKUP_H_
