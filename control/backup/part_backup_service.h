// The gRPC face of a process for backups: copies the stores of its parts into the folder for backups. Thread-safe.
#ifndef CHARTLY_CONTROL_BACKUP_PART_BACKUP_SERVICE_H_
#define CHARTLY_CONTROL_BACKUP_PART_BACKUP_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "chartly/storage/v1/backup.pb.h"
#include "chartly/v1/observer.grpc.pb.h"
#include "common/backup/log_archiver.h"
#include "common/kv/kv_store.h"
#include "common/rpc/guard.h"

namespace chartly::backup {

// How a part is backed up; used from any thread.
struct PartStore {
  KvSource* source = nullptr;
  // What the copy of a record store holds; empty for other parts.
  std::function<absl::StatusOr<storage::v1::LedgerPosition>(const std::string& folder, uint32_t number)> ledger;
};

class PartBackupService final : public v1::PartBackupService::Service {
 public:
  // `folder` may be empty: then every call fails with FailedPrecondition (BACKUP_DIR_NOT_SET). Authenticator
  // and sink must outlive the service; the sink hears of refusals, and may be null.
  // `logs`, which may be null, outlives it too: what it archives goes on behind each copy.
  PartBackupService(std::string folder, LogArchiver* logs, const rpc::Authenticator& authenticator,
                    rpc::AuditSink* audit);
  // Before the server starts. What the part gives must outlive the server.
  void AddPart(const std::string& part, PartStore store) { parts_[part] = std::move(store); }

  grpc::Status BackUpPart(grpc::ServerContext* context, const v1::BackUpPartRequest* request,
                          v1::BackUpPartResponse* response) override;
  grpc::Status KeepPartBackups(grpc::ServerContext* context, const v1::KeepPartBackupsRequest* request,
                               v1::KeepPartBackupsResponse* response) override;

 private:
  absl::StatusOr<const PartStore*> Find(const std::string& part) const;
  absl::StatusOr<v1::BackUpPartResponse> BackUp(const std::string& part, const std::function<bool()>& stopped) const;

  // The copy, and where it stands in the log.
  absl::StatusOr<KvBackup> Copy(const std::string& part, KvSource& source, const std::function<bool()>& stopped,
                                storage::v1::PartBackup& backup) const;
  absl::Status KeepLog(const std::string& part, const std::vector<LogPosition>& positions) const;

  const std::string folder_;
  LogArchiver* const logs_;
  std::map<std::string, PartStore> parts_;
  const rpc::Guard guard_;
};

}  // namespace chartly::backup

#endif  // CHARTLY_CONTROL_BACKUP_PART_BACKUP_SERVICE_H_
