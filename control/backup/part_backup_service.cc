#include "control/backup/part_backup_service.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backup/backup_folder.h"
#include "common/kv/kv_backup.h"
#include "common/status/status.h"

namespace chartly::backup {

PartBackupService::PartBackupService(std::string folder, LogArchiver* logs, const rpc::Authenticator& authenticator,
                                     rpc::AuditSink* audit)
    : folder_(std::move(folder)), logs_(logs), guard_("chartly.v1.PartBackupService", authenticator, audit) {}

absl::StatusOr<const PartStore*> PartBackupService::Find(const std::string& part) const {
  if (folder_.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "BACKUP_DIR_NOT_SET",
                 absl::StrCat("the process of ", part,
                              " has no folder for backups; start it with --backup-dir, the same folder for all"),
                 {{"part", part}});
  }
  auto found = parts_.find(part);
  if (found != parts_.end()) return &found->second;
  return Error(absl::StatusCode::kNotFound, "PART_NOT_HERE", absl::StrCat("no part ", part, " runs in this process"),
               {{"part", part}});
}

absl::StatusOr<KvBackup> PartBackupService::Copy(const std::string& part, KvSource& source,
                                                 const std::function<bool()>& stopped,
                                                 storage::v1::PartBackup& backup) const {
  const std::string folder = BackupFolder(folder_).PartFolder(part);
  PartLog* log = logs_ == nullptr ? nullptr : logs_->Find(part);
  if (log == nullptr) return source.BackUp(folder, stopped);
  log->CopyBegins();
  absl::StatusOr<KvBackup> copied = source.BackUp(folder, stopped);
  if (!copied.ok()) {
    log->CopyFailed();
    return copied;
  }
  ASSIGN_OR_RETURN(*backup.mutable_log(), log->CopyMade(copied->last_sequence));
  return copied;
}

absl::StatusOr<v1::BackUpPartResponse> PartBackupService::BackUp(const std::string& part,
                                                                 const std::function<bool()>& stopped) const {
  ASSIGN_OR_RETURN(const PartStore* store, Find(part));
  const std::string folder = BackupFolder(folder_).PartFolder(part);
  v1::BackUpPartResponse response;
  storage::v1::PartBackup& backup = *response.mutable_backup();
  ASSIGN_OR_RETURN(const KvBackup copied, Copy(part, *store->source, stopped, backup));
  backup.set_part(part);
  backup.set_number(copied.number);
  backup.set_copied_bytes(copied.copied_bytes);
  for (const KvBackup::File& file : copied.files) {
    storage::v1::BackupFile& added = *backup.add_files();
    added.set_path(file.path);
    added.set_bytes(file.bytes);
  }
  if (store->ledger) {
    ASSIGN_OR_RETURN(*backup.mutable_ledger(), store->ledger(folder, copied.number));
  }
  return response;
}

absl::Status PartBackupService::KeepLog(const std::string& part, const std::vector<LogPosition>& positions) const {
  PartLog* log = logs_ == nullptr ? nullptr : logs_->Find(part);
  if (log != nullptr) return log->Keep(positions);
  return LogFolder(BackupFolder(folder_).PartFolder(part)).Keep(positions, "");
}

grpc::Status PartBackupService::BackUpPart(grpc::ServerContext* context, const v1::BackUpPartRequest* request,
                                           v1::BackUpPartResponse* response) {
  return guard_.Unary(context, "BackUpPart", *request, response, [&](const rpc::Caller&) {
    return BackUp(request->part(), [context] { return context->IsCancelled(); });
  });
}

grpc::Status PartBackupService::KeepPartBackups(grpc::ServerContext* context, const v1::KeepPartBackupsRequest* request,
                                                v1::KeepPartBackupsResponse* response) {
  return guard_.Unary(context, "KeepPartBackups", *request, response,
                      [&](const rpc::Caller&) -> absl::StatusOr<v1::KeepPartBackupsResponse> {
                        RETURN_IF_ERROR(Find(request->part()).status());
                        const std::set<uint32_t> numbers(request->numbers().begin(), request->numbers().end());
                        RETURN_IF_ERROR(KeepKvBackups(BackupFolder(folder_).PartFolder(request->part()), numbers));
                        const std::vector<LogPosition> positions(request->positions().begin(),
                                                                 request->positions().end());
                        RETURN_IF_ERROR(KeepLog(request->part(), positions));
                        return v1::KeepPartBackupsResponse();
                      });
}

}  // namespace chartly::backup
