// The write-ahead log of a RocksDB store, read as writes with their times and kept within a bound. Only files named
// rocksdb_* include it.
//
// Every write carries when it was begun, in a place that RocksDB keeps in the log and nowhere else. Several writes that
// are committed together stand in the log as one; the stamps tell them apart.
//
// Thread-safe. The store must outlive it.
#ifndef CHARTLY_COMMON_KV_ROCKSDB_LOG_H_
#define CHARTLY_COMMON_KV_ROCKSDB_LOG_H_

#include <rocksdb/db.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/kv/kv_store.h"

namespace chartly {

class RocksDbLog {
 public:
  // What an earlier process kept goes if nothing is to be kept.
  RocksDbLog(rocksdb::DB& db, std::string path, size_t keep_bytes);
  // Lets go of what it holds of the store; nothing may be called after it.
  void Close();
  bool is_kept() const { return keep_bytes_ > 0; }

  // Puts the time into a write that is still empty.
  static rocksdb::Status Stamp(rocksdb::WriteBatch& batch, absl::Time time);
  // As KvSource::ReadLog. `synced` is what came of making the log durable; if it is not OK the store must not go on.
  absl::StatusOr<std::vector<KvLogBatch>> Read(uint64_t position, size_t bytes_max, rocksdb::Status& synced);
  // As KvSource::ForgetLog.
  void Forget(uint64_t position);
  // To be told after each write: looks now and then that no more is kept than is allowed.
  void Wrote(size_t bytes);
  // While it is held no file of the log goes.
  void Hold(bool held);

 private:
  absl::Status Fetch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Split(const rocksdb::BatchResult& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Gap(const std::string& cause) const;
  // Files that the store does not need any more and whose number is below.
  void DropBelow(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropBeyond(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  rocksdb::DB& db_;
  const std::string path_;
  const std::string archive_;  // where RocksDB puts what it does not need any more
  const size_t keep_bytes_;
  std::atomic<size_t> unchecked_bytes_ = 0;
  absl::Mutex mu_;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  // Where the last Read ended; stays open, since to find a place RocksDB reads a file from its beginning.
  std::unique_ptr<rocksdb::TransactionLogIterator> iterator_ ABSL_GUARDED_BY(mu_);
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;               // number of what comes next
  std::deque<KvLogBatch> fetched_ ABSL_GUARDED_BY(mu_);  // what comes next, as far as it was read
  int64_t time_us_ ABSL_GUARDED_BY(mu_) = 0;             // the last stamp
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_ROCKSDB_LOG_H_
