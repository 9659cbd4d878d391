#include "control/observer/backup_service.h"

namespace chartly::observer {

grpc::Status BackupService::CreateBackup(grpc::ServerContext* context, const v1::CreateBackupRequest* request,
                                         v1::Backup* response) {
  return guard_.Unary(context, "CreateBackup", *request, response, [&](const rpc::Caller&) { return book_.Create(); });
}

grpc::Status BackupService::GetBackup(grpc::ServerContext* context, const v1::GetBackupRequest* request,
                                      v1::Backup* response) {
  return guard_.Unary(context, "GetBackup", *request, response,
                      [&](const rpc::Caller&) { return book_.Get(request->name()); });
}

grpc::Status BackupService::ListBackups(grpc::ServerContext* context, const v1::ListBackupsRequest* request,
                                        v1::ListBackupsResponse* response) {
  return guard_.Unary(context, "ListBackups", *request, response,
                      [&](const rpc::Caller&) { return book_.List(*request); });
}

grpc::Status BackupService::VerifyBackup(grpc::ServerContext* context, const v1::VerifyBackupRequest* request,
                                         v1::Backup* response) {
  return guard_.Unary(context, "VerifyBackup", *request, response,
                      [&](const rpc::Caller&) { return book_.Verify(request->name()); });
}

}  // namespace chartly::observer
