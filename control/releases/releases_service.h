// The gRPC face of the release ledger.
#ifndef CHARTLY_CONTROL_RELEASES_RELEASES_SERVICE_H_
#define CHARTLY_CONTROL_RELEASES_RELEASES_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "chartly/v1/releases.grpc.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "common/state/tenant_state.h"
#include "control/releases/deployment_ledger.h"

namespace chartly::releases {

// The release ledger of one tenant.
struct ReleasesTenant {
  // Both must outlive it.
  ReleasesTenant(const std::string& tenant, StateStore& shared, Clock& clock)
      : store(MakeTenantState(shared, tenant)), ledger(*store, clock) {
    ledger.ShowDrift();
  }
  // Empty if all is well; else what is wrong.
  std::string Health() {
    const absl::Status status = ledger.Health();
    return status.ok() ? "" : std::string(status.message());
  }

  const std::unique_ptr<StateStore> store;
  DeploymentLedger ledger;
};

class ReleasesService final : public v1::ReleasesService::Service {
 public:
  // Everything must outlive the service.
  ReleasesService(rpc::Tenants<ReleasesTenant>& tenants, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : tenants_(tenants), guard_("chartly.v1.ReleasesService", authenticator, audit, &tenants), audit_(audit) {}

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
  grpc::Status ApproveDeployment(grpc::ServerContext* context, const v1::ApproveDeploymentRequest* request,
                                 v1::Deployment* response) override;
  grpc::Status ListEnvironments(grpc::ServerContext* context, const v1::ListEnvironmentsRequest* request,
                                v1::ListEnvironmentsResponse* response) override;
  grpc::Status ReportDrift(grpc::ServerContext* context, const v1::ReportDriftRequest* request,
                           v1::Environment* response) override;

 private:
  rpc::Tenants<ReleasesTenant>& tenants_;
  const rpc::Guard guard_;
  rpc::AuditSink* const audit_;
};

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_RELEASES_SERVICE_H_
