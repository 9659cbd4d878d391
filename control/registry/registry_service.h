// The gRPC face of the registry: access rule, then what the tenant of the caller has of it.
#ifndef CHARTLY_CONTROL_REGISTRY_REGISTRY_SERVICE_H_
#define CHARTLY_CONTROL_REGISTRY_REGISTRY_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/registry.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/registry/registry_tenant.h"

namespace chartly::registry {

class RegistryService final : public v1::RegistryService::Service {
 public:
  // Everything must outlive the service.
  RegistryService(rpc::Tenants<RegistryTenant>& tenants, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : tenants_(tenants), guard_("chartly.v1.RegistryService", authenticator, audit, &tenants) {}

  grpc::Status GetProfile(grpc::ServerContext* context, const v1::GetProfileRequest* request,
                          v1::Profile* response) override;
  grpc::Status ListProfiles(grpc::ServerContext* context, const v1::ListProfilesRequest* request,
                            v1::ListProfilesResponse* response) override;
  grpc::Status CreateProfile(grpc::ServerContext* context, const v1::CreateProfileRequest* request,
                             v1::Profile* response) override;
  grpc::Status UpdateProfile(grpc::ServerContext* context, const v1::UpdateProfileRequest* request,
                             v1::Profile* response) override;
  grpc::Status DeleteProfile(grpc::ServerContext* context, const v1::DeleteProfileRequest* request,
                             google::protobuf::Empty* response) override;
  grpc::Status ListProfileRevisions(grpc::ServerContext* context, const v1::ListProfileRevisionsRequest* request,
                                    v1::ListProfileRevisionsResponse* response) override;
  grpc::Status DiffProfile(grpc::ServerContext* context, const v1::DiffProfileRequest* request,
                           v1::DiffProfileResponse* response) override;
  grpc::Status ValidateProfile(grpc::ServerContext* context, const v1::ValidateProfileRequest* request,
                               v1::ValidateProfileResponse* response) override;
  grpc::Status GetProfileFields(grpc::ServerContext* context, const v1::GetProfileFieldsRequest* request,
                                v1::ProfileFields* response) override;
  grpc::Status PauseProfile(grpc::ServerContext* context, const v1::PauseProfileRequest* request,
                            v1::Profile* response) override;
  grpc::Status ResumeProfile(grpc::ServerContext* context, const v1::ResumeProfileRequest* request,
                             v1::Profile* response) override;
  grpc::Status SetProfileSchedule(grpc::ServerContext* context, const v1::SetProfileScheduleRequest* request,
                                  v1::Profile* response) override;
  grpc::Status PromoteProfile(grpc::ServerContext* context, const v1::PromoteProfileRequest* request,
                              v1::ProfileChannels* response) override;
  grpc::Status RollBackProfile(grpc::ServerContext* context, const v1::RollBackProfileRequest* request,
                               v1::ProfileChannels* response) override;
  grpc::Status GetProfileChannels(grpc::ServerContext* context, const v1::GetProfileChannelsRequest* request,
                                  v1::ProfileChannels* response) override;
  grpc::Status ListChannelMoves(grpc::ServerContext* context, const v1::ListChannelMovesRequest* request,
                                v1::ListChannelMovesResponse* response) override;
  grpc::Status SignProfile(grpc::ServerContext* context, const v1::SignProfileRequest* request,
                           v1::Profile* response) override;
  grpc::Status PlanProfiles(grpc::ServerContext* context, const v1::PlanProfilesRequest* request,
                            v1::ProfilePlan* response) override;
  grpc::Status GetProfilePlan(grpc::ServerContext* context, const v1::GetProfilePlanRequest* request,
                              v1::ProfilePlan* response) override;
  grpc::Status ApplyProfilePlan(grpc::ServerContext* context, const v1::ApplyProfilePlanRequest* request,
                                v1::ProfilePlan* response) override;
  grpc::Status WatchProfiles(grpc::ServerContext* context, const v1::WatchProfilesRequest* request,
                             grpc::ServerWriter<v1::WatchProfilesResponse>* writer) override;

 private:
  rpc::Tenants<RegistryTenant>& tenants_;
  const rpc::Guard guard_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REGISTRY_SERVICE_H_
