// One opening of a RocksDB store: options, what is checked first, and what it tells while it is open.
#ifndef CHARTLY_COMMON_KV_ROCKSDB_OPENING_H_
#define CHARTLY_COMMON_KV_ROCKSDB_OPENING_H_

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "common/kv/kv_store.h"
#include "common/kv/rocksdb_log.h"

namespace chartly {

// Learns that RocksDB stopped for a full disk, and keeps it from going on by itself. Thread-safe.
class FullDiskNotice final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error, bool* by_itself) override;
  bool stopped() const { return stopped_; }
  // To be told by who meets it first.
  void Stop() { stopped_ = true; }

 private:
  std::atomic<bool> stopped_{false};
};

// Whoever reads or writes holds it; the last one closes it. Those that leave garbage are counted by the gauge
// chartly_store_keeps_garbage. Thread-safe.
class RocksDbOpening {
 public:
  // What happens to large values whose files are half garbage: they are written once more and the files deleted, which
  // takes room first.
  enum class Garbage { kCollected, kLeft };

  // FailedPrecondition (STORE_LOCKED), DataLoss (STORE_CORRUPT), STORE_FULL or Unavailable (STORE_IO_ERROR).
  static absl::StatusOr<std::shared_ptr<RocksDbOpening>> Open(const std::string& path, const KvOptions& options,
                                                              Garbage garbage = Garbage::kCollected);
  RocksDbOpening(const RocksDbOpening&) = delete;
  RocksDbOpening& operator=(const RocksDbOpening&) = delete;
  ~RocksDbOpening();

  rocksdb::DB& db() { return *db_; }
  RocksDbLog& log() { return log_; }
  FullDiskNotice& notice() { return *notice_; }
  // Collects garbage that was left, if there is room by now: for all that is stored once more, or for a quarter more
  // than there was when it was opened. Does nothing where it is collected.
  void MindRoom(uint64_t available_bytes);
  bool collects_garbage() const { return !keeps_garbage_; }
  // What memory may hold before it is written out.
  size_t buffer_bytes() const { return buffer_bytes_; }
  // Notified once it is closed.
  std::shared_ptr<absl::Notification> closed() const { return closed_; }

 private:
  RocksDbOpening(std::unique_ptr<rocksdb::DB> db, std::shared_ptr<FullDiskNotice> notice, size_t buffer_bytes,
                 const std::string& path, size_t keep_log_bytes);
  void CollectGarbage();

  const std::shared_ptr<absl::Notification> closed_ = std::make_shared<absl::Notification>();
  const std::shared_ptr<FullDiskNotice> notice_;
  const size_t buffer_bytes_;
  std::atomic<uint64_t> collect_from_{0};  // bytes that are to be free; 0: garbage is collected, or that was tried
  std::atomic<bool> keeps_garbage_{false};
  std::unique_ptr<rocksdb::DB> db_;
  RocksDbLog log_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_ROCKSDB_OPENING_H_
