// Reading RocksDB as a KvReader, and what its errors mean here. Only files named rocksdb_* include it.
#ifndef CHARTLY_COMMON_KV_ROCKSDB_READS_H_
#define CHARTLY_COMMON_KV_ROCKSDB_READS_H_

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/iterator.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/kv/kv_store.h"

namespace chartly {

inline rocksdb::Slice ToSlice(absl::string_view text) { return rocksdb::Slice(text.data(), text.size()); }
inline absl::string_view ToView(const rocksdb::Slice& slice) { return absl::string_view(slice.data(), slice.size()); }

// Whether a full disk is the cause, and all that was written before is sound: not if it was met by an fsync. A write
// that waited for a flush is only told so in words.
bool IsOfFullDisk(const rocksdb::Status& status);
// ResourceExhausted (STORE_FULL).
absl::Status StoreFull(const std::string& path, const std::string& cause);
// DataLoss (STORE_CORRUPT).
absl::Status StoreCorrupt(const std::string& path, const std::string& cause);
// STORE_FULL, DataLoss (STORE_CORRUPT) or Unavailable (STORE_IO_ERROR).
absl::Status ConvertStatus(const rocksdb::Status& status, const std::string& path);

// RocksDB's own log is dropped: what it has to say arrives as a status, and its log writer must not stand in the way
// when the disk is full.
std::shared_ptr<rocksdb::Logger> MakeSilentLogger();

// NotFound if there is none.
absl::StatusOr<std::string> ReadValue(rocksdb::DB& db, const rocksdb::ReadOptions& options, absl::string_view key,
                                      const std::string& path);
// The store must outlive it, which `held` sees to.
std::unique_ptr<KvIterator> WalkRocksDb(rocksdb::DB& db, const rocksdb::ReadOptions& options, const std::string& path,
                                        std::shared_ptr<const void> held = nullptr);
// Over a store that is not open, for that reason.
std::unique_ptr<KvIterator> WalkNothing(const absl::Status& status);

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_ROCKSDB_READS_H_
