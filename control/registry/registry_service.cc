#include "control/registry/registry_service.h"

#include "common/status/status.h"

namespace chartly::registry {

grpc::Status RegistryService::GetProfile(grpc::ServerContext* context, const v1::GetProfileRequest* request,
                                         v1::Profile* response) {
  return guard_.Unary(context, "GetProfile", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Get(*request); });
}

grpc::Status RegistryService::ListProfiles(grpc::ServerContext* context, const v1::ListProfilesRequest* request,
                                           v1::ListProfilesResponse* response) {
  return guard_.Unary(context, "ListProfiles", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).registry.List(*request, caller.projects);
  });
}

grpc::Status RegistryService::CreateProfile(grpc::ServerContext* context, const v1::CreateProfileRequest* request,
                                            v1::Profile* response) {
  return guard_.Unary(context, "CreateProfile", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).registry.Create(*request, caller.principal, caller.projects);
  });
}

grpc::Status RegistryService::UpdateProfile(grpc::ServerContext* context, const v1::UpdateProfileRequest* request,
                                            v1::Profile* response) {
  return guard_.Unary(context, "UpdateProfile", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).registry.Update(*request, caller.principal);
  });
}

grpc::Status RegistryService::DeleteProfile(grpc::ServerContext* context, const v1::DeleteProfileRequest* request,
                                            google::protobuf::Empty* response) {
  return guard_.Unary(context, "DeleteProfile", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<google::protobuf::Empty> {
                        RETURN_IF_ERROR(tenants_.Of(caller).registry.Delete(*request, caller.principal));
                        return google::protobuf::Empty();
                      });
}

grpc::Status RegistryService::ListProfileRevisions(grpc::ServerContext* context,
                                                   const v1::ListProfileRevisionsRequest* request,
                                                   v1::ListProfileRevisionsResponse* response) {
  return guard_.Unary(context, "ListProfileRevisions", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.ListRevisions(*request); });
}

grpc::Status RegistryService::DiffProfile(grpc::ServerContext* context, const v1::DiffProfileRequest* request,
                                          v1::DiffProfileResponse* response) {
  return guard_.Unary(context, "DiffProfile", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Diff(*request); });
}

grpc::Status RegistryService::ValidateProfile(grpc::ServerContext* context, const v1::ValidateProfileRequest* request,
                                              v1::ValidateProfileResponse* response) {
  return guard_.Unary(context, "ValidateProfile", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Validate(*request); });
}

grpc::Status RegistryService::GetProfileFields(grpc::ServerContext* context, const v1::GetProfileFieldsRequest* request,
                                               v1::ProfileFields* response) {
  return guard_.Unary(context, "GetProfileFields", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Fields(*request); });
}

grpc::Status RegistryService::PauseProfile(grpc::ServerContext* context, const v1::PauseProfileRequest* request,
                                           v1::Profile* response) {
  return guard_.Unary(context, "PauseProfile", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Pause(*request); });
}

grpc::Status RegistryService::ResumeProfile(grpc::ServerContext* context, const v1::ResumeProfileRequest* request,
                                            v1::Profile* response) {
  return guard_.Unary(context, "ResumeProfile", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Resume(*request); });
}

grpc::Status RegistryService::SetProfileSchedule(grpc::ServerContext* context,
                                                 const v1::SetProfileScheduleRequest* request, v1::Profile* response) {
  return guard_.Unary(context, "SetProfileSchedule", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.SetSchedule(*request); });
}

grpc::Status RegistryService::PromoteProfile(grpc::ServerContext* context, const v1::PromoteProfileRequest* request,
                                             v1::ProfileChannels* response) {
  return guard_.Unary(context, "PromoteProfile", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).registry.Promote(*request, caller.principal);
  });
}

grpc::Status RegistryService::RollBackProfile(grpc::ServerContext* context, const v1::RollBackProfileRequest* request,
                                              v1::ProfileChannels* response) {
  return guard_.Unary(context, "RollBackProfile", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).registry.RollBack(*request, caller.principal);
  });
}

grpc::Status RegistryService::GetProfileChannels(grpc::ServerContext* context,
                                                 const v1::GetProfileChannelsRequest* request,
                                                 v1::ProfileChannels* response) {
  return guard_.Unary(context, "GetProfileChannels", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.Channels(*request); });
}

grpc::Status RegistryService::ListChannelMoves(grpc::ServerContext* context, const v1::ListChannelMovesRequest* request,
                                               v1::ListChannelMovesResponse* response) {
  return guard_.Unary(context, "ListChannelMoves", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).registry.ListMoves(*request); });
}

grpc::Status RegistryService::SignProfile(grpc::ServerContext* context, const v1::SignProfileRequest* request,
                                          v1::Profile* response) {
  return guard_.Unary(context, "SignProfile", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).registry.Sign(*request, caller.principal);
  });
}

grpc::Status RegistryService::PlanProfiles(grpc::ServerContext* context, const v1::PlanProfilesRequest* request,
                                           v1::ProfilePlan* response) {
  return guard_.Unary(context, "PlanProfiles", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).planner.Plan(*request, caller.principal, caller.projects);
  });
}

grpc::Status RegistryService::GetProfilePlan(grpc::ServerContext* context, const v1::GetProfilePlanRequest* request,
                                             v1::ProfilePlan* response) {
  return guard_.Unary(context, "GetProfilePlan", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).planner.Get(*request, caller.projects);
  });
}

grpc::Status RegistryService::ApplyProfilePlan(grpc::ServerContext* context, const v1::ApplyProfilePlanRequest* request,
                                               v1::ProfilePlan* response) {
  return guard_.Unary(context, "ApplyProfilePlan", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).planner.Apply(*request, caller.principal, caller.projects);
  });
}

grpc::Status RegistryService::WatchProfiles(grpc::ServerContext* context, const v1::WatchProfilesRequest*,
                                            grpc::ServerWriter<v1::WatchProfilesResponse>* writer) {
  return guard_.Stream(context, "WatchProfiles", [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).watches.Run(
        [&](const v1::WatchProfilesResponse& message) {
          const bool theirs = message.has_profile() && !caller.projects.Includes(message.profile().id());
          return theirs || writer->Write(message);
        },
        [&] { return context->IsCancelled(); });
  });
}

}  // namespace chartly::registry
