#include "common/kv/rocksdb_backup.h"

#include <rocksdb/options.h>
#include <rocksdb/utilities/backup_engine.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/kv/kv_backup.h"
#include "common/kv/rocksdb_reads.h"
#include "common/status/status.h"

namespace chartly {
namespace {

namespace fs = std::filesystem;

// Ingest must not wait for a backup: its copies leave the disk room.
constexpr uint64_t kCopyBytesPerSecond = uint64_t{128} << 20;
constexpr uint64_t kSpareBytes = uint64_t{16} << 20;
constexpr char kSharedFolder[] = "shared_checksum";  // where the engine keeps files that backups share

absl::Status NoSpace(const std::string& folder, absl::string_view cause) {
  return Error(absl::StatusCode::kResourceExhausted, "BACKUP_NO_SPACE",
               absl::StrCat("the disk of ", folder, " has no room for the backup (", cause,
                            "); free some space, or keep fewer backups"),
               {{"path", folder}});
}

absl::Status ConvertBackupStatus(const rocksdb::Status& status, const std::string& folder) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNoSpace()) return NoSpace(folder, status.ToString());
  if (status.IsIncomplete()) return absl::CancelledError("the backup was stopped");
  if (status.IsNotFound()) {
    return Error(absl::StatusCode::kNotFound, "BACKUP_NOT_FOUND",
                 absl::StrCat("there is no such backup in ", folder, " (", status.ToString(), ")"), {{"path", folder}});
  }
  if (status.IsCorruption()) {
    return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
                 absl::StrCat("the backup in ", folder, " is damaged (", status.ToString(), "); use another one"),
                 {{"path", folder}});
  }
  return Error(absl::StatusCode::kUnavailable, "BACKUP_IO_ERROR",
               absl::StrCat("the backups in ", folder, " cannot be read or written: ", status.ToString()),
               {{"path", folder}});
}

rocksdb::BackupEngineOptions EngineOptions(const std::string& folder) {
  rocksdb::BackupEngineOptions options(folder);
  options.backup_rate_limit = kCopyBytesPerSecond;
  return options;
}

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngine>> OpenEngine(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return ConvertBackupStatus(rocksdb::Status::IOError(error.message()), folder);
  rocksdb::BackupEngine* engine = nullptr;
  rocksdb::Status status = rocksdb::BackupEngine::Open(EngineOptions(folder), rocksdb::Env::Default(), &engine);
  RETURN_IF_ERROR(ConvertBackupStatus(status, folder));
  return std::unique_ptr<rocksdb::BackupEngine>(engine);
}

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenToRead(const std::string& folder) {
  rocksdb::BackupEngineReadOnly* engine = nullptr;
  rocksdb::Status status = rocksdb::BackupEngineReadOnly::Open(EngineOptions(folder), rocksdb::Env::Default(), &engine);
  RETURN_IF_ERROR(ConvertBackupStatus(status, folder));
  return std::unique_ptr<rocksdb::BackupEngineReadOnly>(engine);
}

// Whether earlier backups have that file. The engine names a file by its number, something that tells stores apart, and
// its size.
bool IsShared(const std::vector<std::string>& shared, const rocksdb::LiveFileStorageInfo& file) {
  const std::string stem = fs::path(file.relative_filename).stem().string() + "_";
  const std::string end = absl::StrCat("_", file.size, fs::path(file.relative_filename).extension().string());
  return std::any_of(shared.begin(), shared.end(), [&](const std::string& name) {
    return absl::StartsWith(name, stem) && absl::EndsWith(name, end);
  });
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

// What is in memory is written out first, onto the disk of the store; only the path tells which of the two is full.
absl::Status ConvertCopyStatus(const rocksdb::Status& status, const rocksdb::DB& db, const std::string& folder) {
  const bool of_store = status.IsNoSpace() && absl::StrContains(status.ToString(), db.GetName() + "/");
  return of_store ? ConvertStatus(status, db.GetName()) : ConvertBackupStatus(status, folder);
}

// Refused before it begins, so that a backup does not fill the disk of others.
absl::Status CheckSpace(rocksdb::DB& db, const std::string& folder) {
  std::vector<rocksdb::LiveFileStorageInfo> live;
  RETURN_IF_ERROR(ConvertCopyStatus(db.GetLiveFilesStorageInfo({}, &live), db, folder));
  const std::vector<std::string> shared = NamesIn(folder + "/" + kSharedFolder);
  uint64_t needed = kSpareBytes;
  for (const rocksdb::LiveFileStorageInfo& file : live) {
    if (!IsShared(shared, file)) needed += file.size;
  }
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available >= needed) return absl::OkStatus();
  return NoSpace(folder, absl::StrCat(space.available, " bytes free, ", needed, " needed"));
}

std::set<std::string> SharedNames(const std::string& folder) {
  const std::vector<std::string> names = NamesIn(folder + "/" + kSharedFolder);
  return {names.begin(), names.end()};
}

absl::StatusOr<KvBackup> Describe(const rocksdb::BackupEngine& engine, uint32_t number, const std::string& folder,
                                  const std::set<std::string>& shared_before) {
  rocksdb::BackupInfo info;
  RETURN_IF_ERROR(ConvertBackupStatus(engine.GetBackupInfo(number, &info, true), folder));
  KvBackup backup;
  backup.number = number;
  for (const rocksdb::BackupFileInfo& file : info.file_details) {
    const std::string& path = file.relative_filename;  // below `folder`
    const std::string name = fs::path(path).filename().string();
    backup.files.push_back({path, static_cast<int64_t>(file.size)});
    if (shared_before.count(name) == 0) backup.copied_bytes += static_cast<int64_t>(file.size);
  }
  const std::string meta = absl::StrCat("meta/", number);
  std::error_code error;
  const auto meta_bytes = static_cast<int64_t>(fs::file_size(folder + "/" + meta, error));
  if (error) return ConvertBackupStatus(rocksdb::Status::IOError(error.message()), folder);
  backup.files.push_back({meta, meta_bytes});
  backup.copied_bytes += meta_bytes;
  std::sort(backup.files.begin(), backup.files.end(),
            [](const KvBackup::File& a, const KvBackup::File& b) { return a.path < b.path; });
  return backup;
}

// A copy that was opened to be read.
struct OpenedCopy {
  rocksdb::BackupInfo info;  // has the environment that the store reads through
  std::unique_ptr<rocksdb::DB> db;
};

// The engine makes the files of the backup look like those of a store.
class BackupReader final : public KvReader {
 public:
  BackupReader(OpenedCopy copy, std::string folder) : copy_(std::move(copy)), folder_(std::move(folder)) {}
  absl::StatusOr<std::string> Get(absl::string_view key) const override {
    return ReadValue(*copy_.db, rocksdb::ReadOptions(), key, folder_);
  }
  std::unique_ptr<KvIterator> NewIterator() const override { return WalkRocksDb(*copy_.db, {}, folder_); }

 private:
  const OpenedCopy copy_;
  const std::string folder_;
};

absl::StatusOr<OpenedCopy> OpenCopy(const std::string& folder, uint32_t number) {
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::BackupEngineReadOnly> engine, OpenToRead(folder));
  OpenedCopy copy;
  RETURN_IF_ERROR(ConvertBackupStatus(engine->GetBackupInfo(number, &copy.info, true), folder));
  rocksdb::Options options;
  options.env = copy.info.env_for_open.get();
  options.max_open_files = 64;
  options.info_log = MakeSilentLogger();
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, copy.info.name_for_open, &opened);
  copy.db.reset(opened);
  RETURN_IF_ERROR(ConvertBackupStatus(status, folder));
  return copy;
}

}  // namespace

absl::StatusOr<KvBackup> BackUpRocksDb(rocksdb::DB& db, const std::string& folder,
                                       const std::function<bool()>& stopped) {
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::BackupEngine> engine, OpenEngine(folder));
  RETURN_IF_ERROR(CheckSpace(db, folder));
  const std::set<std::string> shared_before = SharedNames(folder);
  rocksdb::CreateBackupOptions options;
  // What lies in memory goes to a file that later backups share; the log that is copied stays short.
  options.flush_before_backup = true;
  options.decrease_background_thread_cpu_priority = true;
  options.background_thread_cpu_priority = rocksdb::CpuPriority::kLow;
  options.progress_callback = [&] {
    if (stopped()) engine->StopBackup();
  };
  rocksdb::BackupID number = 0;
  rocksdb::Status status = engine->CreateNewBackup(options, &db, &number);
  RETURN_IF_ERROR(ConvertCopyStatus(status, db, folder));
  ASSIGN_OR_RETURN(KvBackup backup, Describe(*engine, number, folder, shared_before));
  // Read out of the copy: the engine does not tell.
  ASSIGN_OR_RETURN(const OpenedCopy copy, OpenCopy(folder, number));
  backup.last_sequence = copy.db->GetLatestSequenceNumber();
  return backup;
}

absl::StatusOr<std::unique_ptr<KvReader>> OpenKvBackup(const std::string& folder, uint32_t number) {
  ASSIGN_OR_RETURN(OpenedCopy copy, OpenCopy(folder, number));
  return std::make_unique<BackupReader>(std::move(copy), folder);
}

absl::Status RestoreKvBackup(const std::string& folder, uint32_t number, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::BackupEngineReadOnly> engine, OpenToRead(folder));
  rocksdb::Status status = engine->RestoreDBFromBackup(number, path, path);
  if (status.IsNoSpace()) return NoSpace(path, status.ToString());
  return ConvertBackupStatus(status, folder);
}

absl::Status KeepKvBackups(const std::string& folder, const std::set<uint32_t>& numbers) {
  if (!fs::exists(folder)) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::BackupEngine> engine, OpenEngine(folder));
  std::vector<rocksdb::BackupInfo> infos;
  engine->GetBackupInfo(&infos);
  std::vector<rocksdb::BackupID> unwanted;
  engine->GetCorruptedBackups(&unwanted);
  for (const rocksdb::BackupInfo& info : infos) unwanted.push_back(info.backup_id);
  for (rocksdb::BackupID number : unwanted) {
    if (numbers.count(number) != 0) continue;
    RETURN_IF_ERROR(ConvertBackupStatus(engine->DeleteBackup(number), folder));
  }
  return ConvertBackupStatus(engine->GarbageCollect(), folder);
}

}  // namespace chartly
