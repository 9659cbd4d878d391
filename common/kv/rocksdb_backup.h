// Backups by RocksDB's backup engine. Only files named rocksdb_* include it.
#ifndef CHARTLY_COMMON_KV_ROCKSDB_BACKUP_H_
#define CHARTLY_COMMON_KV_ROCKSDB_BACKUP_H_

#include <rocksdb/db.h>

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/kv/kv_store.h"

namespace chartly {

// As KvStore::BackUp; one at a time for a folder.
absl::StatusOr<KvBackup> BackUpRocksDb(rocksdb::DB& db, const std::string& folder,
                                       const std::function<bool()>& stopped);

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_ROCKSDB_BACKUP_H_
