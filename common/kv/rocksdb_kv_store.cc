#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/kv/kv_store.h"
#include "common/kv/rocksdb_backup.h"
#include "common/kv/rocksdb_handle.h"
#include "common/kv/rocksdb_reads.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// Holds what it walks open.
std::unique_ptr<KvIterator> Walk(const absl::StatusOr<OpeningPtr>& opening, const rocksdb::ReadOptions& options,
                                 const std::string& path) {
  if (!opening.ok()) return WalkNothing(opening.status());
  return WalkRocksDb((*opening)->db(), options, path, *opening);
}

class RocksDbSnapshot final : public KvReader {
 public:
  RocksDbSnapshot(absl::StatusOr<OpeningPtr> opening, const std::string& path)
      : opening_(std::move(opening)), path_(path) {
    if (opening_.ok()) options_.snapshot = (*opening_)->db().GetSnapshot();
  }
  ~RocksDbSnapshot() override {
    if (opening_.ok()) (*opening_)->db().ReleaseSnapshot(options_.snapshot);
  }
  RocksDbSnapshot(const RocksDbSnapshot&) = delete;
  RocksDbSnapshot& operator=(const RocksDbSnapshot&) = delete;
  absl::StatusOr<std::string> Get(absl::string_view key) const override {
    RETURN_IF_ERROR(opening_.status());
    return ReadValue((*opening_)->db(), options_, key, path_);
  }
  std::unique_ptr<KvIterator> NewIterator() const override { return Walk(opening_, options_, path_); }

 private:
  const absl::StatusOr<OpeningPtr> opening_;
  const std::string path_;
  rocksdb::ReadOptions options_;
};

class RocksDbKvStore final : public KvStore {
 public:
  RocksDbKvStore(OpeningPtr opening, const std::string& path, const KvOptions& options)
      : path_(path),
        clock_(options.clock == nullptr ? system_clock_ : *options.clock),
        handle_(std::move(opening), path, options) {}

  absl::StatusOr<std::string> Get(absl::string_view key) const override {
    ASSIGN_OR_RETURN(const OpeningPtr opening, handle_.ForRead());
    return ReadValue(opening->db(), rocksdb::ReadOptions(), key, path_);
  }

  absl::Status Write(const KvBatch& batch, bool sync) override {
    size_t bytes = 0;
    for (const KvBatch::Op& op : batch.ops()) bytes += op.key.size() + op.value.size();
    ASSIGN_OR_RETURN(const OpeningPtr opening, handle_.ForWrite(bytes));
    rocksdb::WriteBatch writes;
    if (opening->log().is_kept()) RETURN_IF_ERROR(ConvertStatus(RocksDbLog::Stamp(writes, clock_.Now()), path_));
    for (const KvBatch::Op& op : batch.ops()) {
      rocksdb::Status staged = op.put ? writes.Put(op.key, op.value) : writes.Delete(op.key);
      RETURN_IF_ERROR(ConvertStatus(staged, path_));
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    rocksdb::Status status = opening->db().Write(options, &writes);
    opening->log().Wrote(writes.GetDataSize());
    return status.ok() ? absl::OkStatus() : handle_.RecordFailure(status, *opening);
  }

  std::unique_ptr<KvIterator> NewIterator() const override { return Walk(handle_.ForRead(), {}, path_); }

  std::unique_ptr<KvReader> Snapshot() const override {
    return std::make_unique<RocksDbSnapshot>(handle_.ForRead(), path_);
  }

  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) override {
    absl::MutexLock lock(&backup_mu_);
    ASSIGN_OR_RETURN(const OpeningPtr opening, handle_.ForRead());
    // The engine lists the log at first, and stumbles over files that go meanwhile.
    opening->log().Hold(true);
    absl::StatusOr<KvBackup> backup = BackUpRocksDb(opening->db(), folder, [&] {
      opening->log().Hold(false);
      return stopped();
    });
    opening->log().Hold(false);
    return backup;
  }

  absl::StatusOr<std::string> Identity() const override {
    ASSIGN_OR_RETURN(const OpeningPtr opening, handle_.ForRead());
    std::string identity;
    RETURN_IF_ERROR(ConvertStatus(opening->db().GetDbIdentity(identity), path_));
    return identity;
  }

  uint64_t LastSequence() const override { return handle_.LastSequence(); }

  absl::StatusOr<std::vector<KvLogBatch>> ReadLog(uint64_t position, size_t bytes_max) override {
    ASSIGN_OR_RETURN(const OpeningPtr opening, handle_.ForRead());
    rocksdb::Status synced;
    absl::StatusOr<std::vector<KvLogBatch>> batches = opening->log().Read(position, bytes_max, synced);
    return synced.ok() ? std::move(batches) : handle_.RecordFailure(synced, *opening);
  }

  void ForgetLog(uint64_t position) override {
    const absl::StatusOr<OpeningPtr> opening = handle_.ForRead();
    if (opening.ok()) (*opening)->log().Forget(position);
  }

 private:
  const std::string path_;
  SystemClock system_clock_;
  Clock& clock_;
  mutable RocksDbHandle handle_;  // who reads may open the store anew, too
  absl::Mutex backup_mu_;         // one backup at a time
};

}  // namespace

absl::StatusOr<std::unique_ptr<KvStore>> OpenKvStore(const std::string& path, const KvOptions& options) {
  ASSIGN_OR_RETURN(OpeningPtr opening, RocksDbOpening::Open(path, options));
  return std::make_unique<RocksDbKvStore>(std::move(opening), path, options);
}

}  // namespace chartly
