// The gRPC face of the release ledger.
#ifndef CHARTLY_CONTROL_RELEASES_RELEASES_SERVICE_H_
#define CHARTLY_CONTROL_RELEASES_RELEASES_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/releases.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/releases/deployment_ledger.h"

namespace chartly::releases {

class ReleasesService final : public v1::ReleasesService::Service {
 public:
  // Everything must outlive the service.
  ReleasesService(DeploymentLedger& ledger, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : ledger_(ledger), guard_("chartly.v1.ReleasesService", authenticator, audit) {}

  grpc::Status OpenDeployment(grpc::ServerContext* context, const v1::OpenDeploymentRequest* request,
                              v1::Deployment* response) override;
  grpc::Status GetDeployment(grpc::ServerContext* context, const v1::GetDeploymentRequest* request,
                             v1::Deployment* response) override;
  grpc::Status ListDeployments(grpc::ServerContext* context, const v1::ListDeploymentsRequest* request,
                               v1::ListDeploymentsResponse* response) override;
  grpc::Status ShelveDeployment(grpc::ServerContext* context, const v1::ShelveDeploymentRequest* request,
                                v1::Deployment* response) override;
  grpc::Status ResumeDeployment(grpc::ServerContext* context, const v1::ResumeDeploymentRequest* request,
                                v1::Deployment* response) override;
  grpc::Status ConcludeDeployment(grpc::ServerContext* context, const v1::ConcludeDeploymentRequest* request,
                                  v1::Deployment* response) override;

 private:
  DeploymentLedger& ledger_;
  const rpc::Guard guard_;
};

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_RELEASES_SERVICE_H_
