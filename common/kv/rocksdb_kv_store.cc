#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/kv/kv_store.h"
#include "common/kv/log_check.h"
#include "common/kv/rocksdb_backup.h"
#include "common/kv/rocksdb_log.h"
#include "common/kv/rocksdb_reads.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kLargeValueBytes = size_t{64} << 10;

absl::Status ConvertOpenStatus(const rocksdb::Status& status, const std::string& path) {
  if (status.IsIOError() && status.ToString().find("/LOCK") != std::string::npos) {
    std::error_code ignored;
    bool exists = std::filesystem::exists(path + "/LOCK", ignored);
    if (exists && status.ToString().find("ermission denied") == std::string::npos) {
      return Error(absl::StatusCode::kFailedPrecondition, "STORE_LOCKED",
                   absl::StrCat("another process uses the folder ", path, "; stop it or choose another --data"),
                   {{"path", path}});
    }
  }
  return ConvertStatus(status, path);
}

class RocksDbSnapshot final : public KvReader {
 public:
  RocksDbSnapshot(rocksdb::DB& db, const std::string& path) : db_(db), path_(path) {
    options_.snapshot = db.GetSnapshot();
  }
  ~RocksDbSnapshot() override { db_.ReleaseSnapshot(options_.snapshot); }
  RocksDbSnapshot(const RocksDbSnapshot&) = delete;
  RocksDbSnapshot& operator=(const RocksDbSnapshot&) = delete;
  absl::StatusOr<std::string> Get(absl::string_view key) const override { return ReadValue(db_, options_, key, path_); }
  std::unique_ptr<KvIterator> NewIterator() const override { return WalkRocksDb(db_, options_, path_); }

 private:
  rocksdb::DB& db_;
  const std::string path_;
  rocksdb::ReadOptions options_;
};

class RocksDbKvStore final : public KvStore {
 public:
  RocksDbKvStore(std::unique_ptr<rocksdb::DB> db, std::string path, size_t reserve_bytes, const KvOptions& options)
      : db_(std::move(db)),
        path_(std::move(path)),
        reserve_bytes_(reserve_bytes),
        clock_(options.clock == nullptr ? system_clock_ : *options.clock),
        log_(*db_, path_, options.keep_log_bytes) {}

  absl::StatusOr<std::string> Get(absl::string_view key) const override {
    return ReadValue(*db_, rocksdb::ReadOptions(), key, path_);
  }

  absl::Status Write(const KvBatch& batch, bool sync) override {
    RETURN_IF_ERROR(AdmitWrite());
    RETURN_IF_ERROR(CheckSpace(batch));
    rocksdb::WriteBatch writes;
    if (log_.is_kept()) RETURN_IF_ERROR(ConvertStatus(RocksDbLog::Stamp(writes, clock_.Now()), path_));
    for (const KvBatch::Op& op : batch.ops()) {
      rocksdb::Status staged = op.put ? writes.Put(op.key, op.value) : writes.Delete(op.key);
      RETURN_IF_ERROR(ConvertStatus(staged, path_));
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    rocksdb::Status status = db_->Write(options, &writes);
    log_.Wrote(writes.GetDataSize());
    return status.ok() ? absl::OkStatus() : RecordFailure(status);
  }

  std::unique_ptr<KvIterator> NewIterator() const override { return WalkRocksDb(*db_, {}, path_); }

  std::unique_ptr<KvReader> Snapshot() const override { return std::make_unique<RocksDbSnapshot>(*db_, path_); }

  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) override {
    absl::MutexLock lock(&backup_mu_);
    // The engine lists the log at first, and stumbles over files that go meanwhile.
    log_.Hold(true);
    absl::StatusOr<KvBackup> backup = BackUpRocksDb(*db_, folder, [&] {
      log_.Hold(false);
      return stopped();
    });
    log_.Hold(false);
    return backup;
  }

  absl::StatusOr<std::string> Identity() const override {
    std::string identity;
    RETURN_IF_ERROR(ConvertStatus(db_->GetDbIdentity(identity), path_));
    return identity;
  }

  uint64_t LastSequence() const override { return db_->GetLatestSequenceNumber(); }

  absl::StatusOr<std::vector<KvLogBatch>> ReadLog(uint64_t position, size_t bytes_max) override {
    rocksdb::Status synced;
    absl::StatusOr<std::vector<KvLogBatch>> batches = log_.Read(position, bytes_max, synced);
    return synced.ok() ? std::move(batches) : RecordFailure(synced);
  }

  void ForgetLog(uint64_t position) override { log_.Forget(position); }

 private:
  // A disk that is nearly full is refused before RocksDB meets it, with room left to flush what is in memory.
  absl::Status CheckSpace(const KvBatch& batch) const {
    size_t needed = reserve_bytes_;
    for (const KvBatch::Op& op : batch.ops()) needed += op.key.size() + op.value.size();
    std::error_code error;
    std::filesystem::space_info space = std::filesystem::space(path_, error);
    if (error || space.available >= needed) return absl::OkStatus();
    return StoreFull(path_, absl::StrCat(space.available, " bytes free, ", needed, " needed"));
  }

  // After an fsync error the kernel may have marked the lost pages clean, so a second fsync would lie: the store stays
  // shut until it is opened again. A full disk is no such error; RocksDB is asked to go on before the next write.
  absl::Status AdmitWrite() {
    absl::MutexLock lock(&mu_);
    if (!failure_.ok()) return failure_;
    if (!full_) return absl::OkStatus();
    rocksdb::Status resumed = db_->Resume();
    if (resumed.ok()) {
      full_ = false;
      return absl::OkStatus();
    }
    // Busy: RocksDB is trying by itself and looks at the free space every few seconds.
    if (resumed.IsNoSpace() || resumed.IsBusy()) return StoreFull(path_, resumed.ToString());
    failure_ = ConvertStatus(resumed, path_);
    return failure_;
  }

  absl::Status RecordFailure(const rocksdb::Status& status) {
    absl::Status failure = ConvertStatus(status, path_);
    absl::MutexLock lock(&mu_);
    if (status.IsNoSpace()) {
      full_ = true;
    } else if (failure_.ok()) {
      failure_ = failure;
    }
    return failure;
  }

  const std::unique_ptr<rocksdb::DB> db_;
  const std::string path_;
  const size_t reserve_bytes_;
  SystemClock system_clock_;
  Clock& clock_;
  RocksDbLog log_;
  absl::Mutex backup_mu_;  // one backup at a time
  absl::Mutex mu_;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  bool full_ ABSL_GUARDED_BY(mu_) = false;
};

rocksdb::CompressionType SmallValueCompression() {
  std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

// Write buffers are charged to the block cache, so that the two share one budget.
rocksdb::Options MakeOptions(const KvOptions& options) {
  rocksdb::Options result;
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.memory_bytes);
  result.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(options.memory_bytes / 2, cache);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  result.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  size_t buffer_limit = options.large_values ? size_t{64} << 20 : size_t{16} << 20;
  result.write_buffer_size = std::clamp<size_t>(options.memory_bytes / 4, size_t{1} << 20, buffer_limit);
  result.create_if_missing = true;
  result.paranoid_checks = true;
  result.compression = SmallValueCompression();
  if (options.large_values) {
    // Large values go to blob files once and compactions move only their keys.
    result.enable_blob_files = true;
    result.min_blob_size = kLargeValueBytes;
    result.blob_compression_type = rocksdb::kNoCompression;
    result.enable_blob_garbage_collection = true;
    // Merged parts leave much garbage behind at once, in files of any age.
    result.blob_garbage_collection_age_cutoff = 1.0;
    result.blob_garbage_collection_force_threshold = 0.5;
  }
  result.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  result.track_and_verify_wals_in_manifest = true;
  result.write_dbid_to_manifest = false;  // copies of the manifest would have it, too
  result.bytes_per_sync = 1 << 20;
  result.max_open_files = 512;
  // Then what the store does not need any more stays, in a folder of its own; RocksDbLog lets it go.
  if (options.keep_log_bytes > 0) result.WAL_ttl_seconds = std::numeric_limits<int32_t>::max();
  result.max_total_wal_size = std::max<size_t>(options.memory_bytes, size_t{64} << 20);
  result.info_log = MakeSilentLogger();
  return result;
}

// Looks for what RocksDB would take for the end of a log (log_check.h), in the logs that it is about to read: the
// manifest in use, and all of writes. Nothing is changed.
absl::Status CheckLogs(const std::string& path) {
  std::string manifest;
  std::ifstream(path + "/CURRENT") >> manifest;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (it->path().extension() != ".log" && name != manifest) continue;
    absl::StatusOr<std::optional<LogDamage>> damage = FindLogDamage(it->path().string());
    if (!damage.ok() && !std::filesystem::exists(it->path())) continue;  // whoever has the store open deleted it
    if (!damage.ok()) return ConvertStatus(rocksdb::Status::IOError(std::string(damage.status().message())), path);
    if (damage->has_value()) {
      return StoreCorrupt(path, absl::StrCat(name, ": ", (*damage)->what, ", at byte ", (*damage)->at));
    }
  }
  return absl::OkStatus();
}

rocksdb::Status OpenWith(rocksdb::Options options, rocksdb::WALRecoveryMode mode, const std::string& path,
                         std::unique_ptr<rocksdb::DB>& db) {
  options.wal_recovery_mode = mode;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
  db.reset(opened);
  return status;
}

// The strict mode refuses any damage, also the half-written last record that a killed process leaves. That record was
// never acknowledged, so a second try lets it go, and only it: damage anywhere else is still refused.
rocksdb::Status OpenStrictThenTorn(const rocksdb::Options& options, const std::string& path,
                                   std::unique_ptr<rocksdb::DB>& db) {
  rocksdb::Status status = OpenWith(options, rocksdb::WALRecoveryMode::kAbsoluteConsistency, path, db);
  if (!status.IsCorruption()) return status;
  rocksdb::Status torn = OpenWith(options, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords, path, db);
  return torn.ok() ? torn : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KvStore>> OpenKvStore(const std::string& path, const KvOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Error(absl::StatusCode::kUnavailable, "STORE_IO_ERROR",
                 absl::StrCat("cannot make the folder ", path, ": ", error.message(), "; choose another --data"),
                 {{"path", path}});
  }
  RETURN_IF_ERROR(CheckLogs(path));
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::Options made = MakeOptions(options);
  rocksdb::Status status = OpenStrictThenTorn(made, path, db);
  if (!status.ok()) return ConvertOpenStatus(status, path);
  return std::make_unique<RocksDbKvStore>(std::move(db), path, made.write_buffer_size, options);
}

}  // namespace chartly
