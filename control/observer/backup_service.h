// The gRPC face of the backups. Thread-safe.
#ifndef CHARTLY_CONTROL_OBSERVER_BACKUP_SERVICE_H_
#define CHARTLY_CONTROL_OBSERVER_BACKUP_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/observer.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/observer/backup_book.h"

namespace chartly::observer {

class BackupService final : public v1::BackupService::Service {
 public:
  // Everything must outlive the service.
  BackupService(BackupBook& book, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : book_(book), guard_("chartly.v1.BackupService", authenticator, audit) {}

  grpc::Status CreateBackup(grpc::ServerContext* context, const v1::CreateBackupRequest* request,
                            v1::Backup* response) override;
  grpc::Status GetBackup(grpc::ServerContext* context, const v1::GetBackupRequest* request,
                         v1::Backup* response) override;
  grpc::Status ListBackups(grpc::ServerContext* context, const v1::ListBackupsRequest* request,
                           v1::ListBackupsResponse* response) override;
  grpc::Status VerifyBackup(grpc::ServerContext* context, const v1::VerifyBackupRequest* request,
                            v1::Backup* response) override;

 private:
  BackupBook& book_;
  const rpc::Guard guard_;
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_BACKUP_SERVICE_H_
