#include "common/kv/rocksdb_opening.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/kv/log_check.h"
#include "common/kv/rocksdb_reads.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

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

// The files of all that is stored, garbage included.
uint64_t LiveBytes(rocksdb::DB& db) {
  uint64_t total = 0;
  for (const std::string* property :
       {&rocksdb::DB::Properties::kLiveSstFilesSize, &rocksdb::DB::Properties::kLiveBlobFileSize}) {
    uint64_t bytes = 0;
    if (db.GetIntProperty(*property, &bytes)) total += bytes;
  }
  return total;
}

// A process may have several stores, and any thread may come to this.
void CountKeptGarbage(int by) {
  static absl::Mutex mu(absl::kConstInit);
  static int stores = 0;
  const MetricTenant nobodys("");
  absl::MutexLock lock(&mu);
  SetGauge("chartly_store_keeps_garbage", stores += by);
}

}  // namespace

void FullDiskNotice::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status error,
                                          bool* by_itself) {
  if (!IsOfFullDisk(error)) return;
  *by_itself = false;
  stopped_ = true;
}

absl::StatusOr<std::shared_ptr<RocksDbOpening>> RocksDbOpening::Open(const std::string& path, const KvOptions& options,
                                                                     Garbage garbage) {
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
  const bool leaves_garbage = garbage == Garbage::kLeft && made.enable_blob_garbage_collection;
  if (leaves_garbage) made.enable_blob_garbage_collection = false;
  auto notice = std::make_shared<FullDiskNotice>();
  made.listeners.push_back(notice);
  rocksdb::Status status = OpenStrictThenTorn(made, path, db);
  if (!status.ok()) return ConvertOpenStatus(status, path);
  std::shared_ptr<RocksDbOpening> opening(
      new RocksDbOpening(std::move(db), std::move(notice), made.write_buffer_size, path, options.keep_log_bytes));
  if (leaves_garbage) {
    const std::filesystem::space_info space = std::filesystem::space(path, error);
    const uint64_t available = error ? 0 : space.available;
    const uint64_t wanted = std::max<uint64_t>(1, std::min(LiveBytes(opening->db()), available + available / 4));
    opening->keeps_garbage_ = true;
    CountKeptGarbage(1);
    if (available >= wanted) {
      opening->CollectGarbage();
    } else {
      opening->collect_from_ = wanted;
      LogWarn("garbage stays in the store until there is room to collect it",
              {{"path", path}, {"bytes_free", absl::StrCat(available)}, {"bytes_wanted", absl::StrCat(wanted)}});
    }
  }
  return opening;
}

void RocksDbOpening::MindRoom(uint64_t available_bytes) {
  uint64_t wanted = collect_from_;
  if (wanted == 0 || available_bytes < wanted || !collect_from_.compare_exchange_strong(wanted, 0)) return;
  CollectGarbage();
  if (!keeps_garbage_) LogInfo("garbage of the store is collected again", {{"path", db_->GetName()}});
}

void RocksDbOpening::CollectGarbage() {
  const rocksdb::Status status = db_->SetOptions({{"enable_blob_garbage_collection", "true"}});
  if (!status.ok()) {
    LogError("garbage stays in the store until the process starts again",
             {{"path", db_->GetName()}, {"error", status.ToString()}});
    return;
  }
  keeps_garbage_ = false;
  CountKeptGarbage(-1);
}

RocksDbOpening::RocksDbOpening(std::unique_ptr<rocksdb::DB> db, std::shared_ptr<FullDiskNotice> notice,
                               size_t buffer_bytes, const std::string& path, size_t keep_log_bytes)
    : notice_(std::move(notice)), buffer_bytes_(buffer_bytes), db_(std::move(db)), log_(*db_, path, keep_log_bytes) {}

RocksDbOpening::~RocksDbOpening() {
  log_.Close();
  db_.reset();
  if (keeps_garbage_) CountKeptGarbage(-1);
  closed_->Notify();
}

}  // namespace chartly
