#include "control/coordinator/coordinator_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/attend_reactor_service.h"
#include "control/coordinator/event_watch_service.h"
#include "control/coordinator/resource_name.h"

namespace chartly::coordinator {

CoordinatorService::CoordinatorService(rpc::Tenants<CoordinatorTenant>& tenants,
                                       const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
    : tenants_(tenants), guard_("chartly.v1.CoordinatorService", authenticator, audit, &tenants), audit_(audit) {}

// A call of a drone: it goes to the intake, which calls back.
template <typename Request, typename Response, typename Submit>
grpc::ServerUnaryReactor* CoordinatorService::CallOfDrone(grpc::CallbackServerContext* context, const char* method,
                                                          const Request& request, Response* response, Submit submit) {
  const absl::Time start = absl::Now();
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  rpc::Caller caller;
  absl::Status admitted = guard_.Admit(context, method, caller);
  if (!admitted.ok()) {
    reactor->Finish(guard_.Finish(method, start, caller, nullptr, admitted));
    return reactor;
  }
  admitted = rpc::CheckOwnDrone(caller, request.drone_id());
  // Request and response live until the reactor is finished.
  auto end = [this, start, caller, method, &request, response, reactor](absl::StatusOr<Response> result) {
    if (result.ok()) *response = *std::move(result);
    guard_.FinishLater(method, start, caller, request, result.status(),
                       [reactor](const grpc::Status& status) { reactor->Finish(status); });
  };
  admitted.ok() ? submit(tenants_.Of(caller).intake, std::move(end)) : end(admitted);
  return reactor;
}

grpc::ServerUnaryReactor* CoordinatorService::RegisterDrone(grpc::CallbackServerContext* context,
                                                            const v1::RegisterDroneRequest* request,
                                                            v1::Drone* response) {
  return CallOfDrone(
      context, "RegisterDrone", *request, response,
      [&](DroneIntake& intake, DroneIntake::Registered done) { intake.Register(*request, std::move(done)); });
}

grpc::ServerUnaryReactor* CoordinatorService::Heartbeat(grpc::CallbackServerContext* context,
                                                        const v1::HeartbeatRequest* request,
                                                        v1::HeartbeatResponse* response) {
  return CallOfDrone(context, "Heartbeat", *request, response,
                     [&](DroneIntake& intake, DroneIntake::Answered done) { intake.Beat(*request, std::move(done)); });
}

grpc::ServerBidiReactor<v1::HeartbeatRequest, v1::HeartbeatResponse>* CoordinatorService::Attend(
    grpc::CallbackServerContext* context) {
  auto reactor = std::make_shared<AttendReactor>(guard_, tenants_);
  reactor->Begin(*context);
  return reactor.get();  // it holds itself until gRPC is done with it
}

grpc::Status CoordinatorService::ListDrones(grpc::ServerContext* context, const v1::ListDronesRequest* request,
                                            v1::ListDronesResponse* response) {
  return guard_.Unary(context, "ListDrones", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListDronesResponse> {
                        ASSIGN_OR_RETURN(size_t size, PageSize(request->page_size(), 100, 1000));
                        std::vector<v1::Drone> drones =
                            tenants_.Of(caller).coordinator.ListDrones(request->page_token(), size + 1);
                        v1::ListDronesResponse answer;
                        if (drones.size() > size) {
                          drones.pop_back();
                          answer.set_next_page_token(drones.back().drone_id());
                        }
                        for (v1::Drone& drone : drones) *answer.add_drones() = std::move(drone);
                        return answer;
                      });
}

grpc::Status CoordinatorService::GetDrone(grpc::ServerContext* context, const v1::GetDroneRequest* request,
                                          v1::Drone* response) {
  return guard_.Unary(context, "GetDrone", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Drone> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "drones"));
                        return tenants_.Of(caller).coordinator.GetDrone(id);
                      });
}

grpc::Status CoordinatorService::GetDroneStats(grpc::ServerContext* context, const v1::GetDroneStatsRequest* request,
                                               v1::DroneStats* response) {
  return guard_.Unary(context, "GetDroneStats", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::DroneStats> {
                        return tenants_.Of(caller).coordinator.DroneStats();
                      });
}

grpc::Status CoordinatorService::ListDroneWork(grpc::ServerContext* context, const v1::ListDroneWorkRequest* request,
                                               v1::ListDroneWorkResponse* response) {
  return guard_.Unary(context, "ListDroneWork", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListDroneWorkResponse> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->parent(), "drones"));
                        return tenants_.Of(caller).coordinator.DroneWork(id);
                      });
}

grpc::Status CoordinatorService::DrainDrone(grpc::ServerContext* context, const v1::DrainDroneRequest* request,
                                            v1::Drone* response) {
  return guard_.Unary(context, "DrainDrone", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Drone> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "drones"));
                        return tenants_.Of(caller).coordinator.DrainDrone(id);
                      });
}

absl::StatusOr<v1::Run> CoordinatorService::ScheduleFresh(const std::string& profile_id, const rpc::Caller& caller) {
  absl::Status fresh = tenants_.Of(caller).profiles.Refresh(profile_id);
  absl::StatusOr<v1::Run> run = tenants_.Of(caller).coordinator.ScheduleRun(profile_id, caller.principal);
  // Not known here, and the registry could not be asked: say that, not that there is no such profile.
  if (absl::IsNotFound(run.status()) && !fresh.ok() && !absl::IsNotFound(fresh)) return fresh;
  return run;
}

grpc::Status CoordinatorService::PreviewAssignments(grpc::ServerContext* context,
                                                    const v1::PreviewAssignmentsRequest* request,
                                                    v1::PreviewAssignmentsResponse* response) {
  return guard_.Unary(context, "PreviewAssignments", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::PreviewAssignmentsResponse> {
                        return tenants_.Of(caller).coordinator.PreviewAssignments(*request);
                      });
}

grpc::Status CoordinatorService::CreateRun(grpc::ServerContext* context, const v1::CreateRunRequest* request,
                                           v1::Run* response) {
  return guard_.Unary(context, "CreateRun", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Run> {
                        if (request->status() != v1::RUN_STATUS_UNSPECIFIED)
                          return tenants_.Of(caller).coordinator.RecordRun(*request);
                        if (!request->run_id().empty()) {
                          return Error(absl::StatusCode::kInvalidArgument, "RUN_INVALID",
                                       "run_id is only for a run done elsewhere; give its status too, or leave it out");
                        }
                        absl::string_view id = absl::StripPrefix(request->profile_id(), "profiles/");
                        ASSIGN_OR_RETURN(std::string profile, ParseName(absl::StrCat("profiles/", id), "profiles"));
                        return ScheduleFresh(profile, caller);
                      });
}

grpc::Status CoordinatorService::RunProfileNow(grpc::ServerContext* context, const v1::RunProfileNowRequest* request,
                                               v1::Run* response) {
  return guard_.Unary(context, "RunProfileNow", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Run> {
                        ASSIGN_OR_RETURN(std::string profile, ParseName(request->profile(), "profiles"));
                        return ScheduleFresh(profile, caller);
                      });
}

grpc::Status CoordinatorService::ListRuns(grpc::ServerContext* context, const v1::ListRunsRequest* request,
                                          v1::ListRunsResponse* response) {
  return guard_.Unary(context, "ListRuns", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListRunsResponse> {
                        int32_t wanted = request->page_size() != 0 ? request->page_size() : request->limit();
                        ASSIGN_OR_RETURN(size_t size, PageSize(wanted, 50, 1000));
                        ASSIGN_OR_RETURN(int64_t before, ParseRunToken(request->page_token()));
                        int64_t next = 0;
                        v1::ListRunsResponse answer;
                        for (v1::Run& run : tenants_.Of(caller).coordinator.ListRuns(
                                 before, size, request->profile_id(), request->drone_id(), next, caller.projects)) {
                          *answer.add_runs() = std::move(run);
                        }
                        if (next != 0) answer.set_next_page_token(MakeRunToken(next));
                        return answer;
                      });
}

grpc::Status CoordinatorService::GetRun(grpc::ServerContext* context, const v1::GetRunRequest* request,
                                        v1::Run* response) {
  return guard_.Unary(context, "GetRun", *request, response, [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Run> {
    ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "runs"));
    RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckRun(id, caller.projects));
    return tenants_.Of(caller).coordinator.GetRun(id);
  });
}

grpc::Status CoordinatorService::CancelRun(grpc::ServerContext* context, const v1::CancelRunRequest* request,
                                           v1::Run* response) {
  return guard_.Unary(context, "CancelRun", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Run> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "runs"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckRun(id, caller.projects));
                        return tenants_.Of(caller).coordinator.CancelRun(id);
                      });
}

grpc::Status CoordinatorService::GetProfileStatus(grpc::ServerContext* context,
                                                  const v1::GetProfileStatusRequest* request,
                                                  v1::ProfileStatus* response) {
  return guard_.Unary(
      context, "GetProfileStatus", *request, response,
      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ProfileStatus> {
        ASSIGN_OR_RETURN(std::string id, ParseName(request->profile(), "profiles"));
        absl::StatusOr<v1::ProfileStatus> status = tenants_.Of(caller).coordinator.GetProfileStatus(id);
        if (!absl::IsNotFound(status.status())) return status;
        RETURN_IF_ERROR(tenants_.Of(caller).profiles.Refresh(id));  // made a moment ago, or the registry says why not
        return tenants_.Of(caller).coordinator.GetProfileStatus(id);
      });
}

grpc::Status CoordinatorService::ListRollouts(grpc::ServerContext* context, const v1::ListRolloutsRequest* request,
                                              v1::ListRolloutsResponse* response) {
  return guard_.Unary(context, "ListRollouts", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListRolloutsResponse> {
                        ASSIGN_OR_RETURN(size_t size, PageSize(request->page_size(), 100, 1000));
                        std::vector<v1::Rollout> found = tenants_.Of(caller).coordinator.ListRollouts(
                            request->page_token(), size + 1, caller.projects);
                        v1::ListRolloutsResponse answer;
                        if (found.size() > size) {
                          found.pop_back();
                          answer.set_next_page_token(found.back().profile_id());
                        }
                        for (v1::Rollout& rollout : found) *answer.add_rollouts() = std::move(rollout);
                        return answer;
                      });
}

grpc::Status CoordinatorService::GetRollout(grpc::ServerContext* context, const v1::GetRolloutRequest* request,
                                            v1::Rollout* response) {
  return guard_.Unary(context, "GetRollout", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Rollout> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "rollouts"));
                        return tenants_.Of(caller).coordinator.GetRollout(id);
                      });
}

grpc::Status CoordinatorService::AbortRollout(grpc::ServerContext* context, const v1::AbortRolloutRequest* request,
                                              v1::Rollout* response) {
  return guard_.Unary(context, "AbortRollout", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Rollout> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "rollouts"));
                        return tenants_.Of(caller).coordinator.AbortRollout(id, request->reason());
                      });
}

grpc::Status CoordinatorService::AcceptRollout(grpc::ServerContext* context, const v1::AcceptRolloutRequest* request,
                                               v1::Rollout* response) {
  return guard_.Unary(context, "AcceptRollout", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Rollout> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "rollouts"));
                        return tenants_.Of(caller).coordinator.AcceptRollout(id);
                      });
}

grpc::Status CoordinatorService::ListQuotas(grpc::ServerContext* context, const v1::ListQuotasRequest* request,
                                            v1::ListQuotasResponse* response) {
  return guard_.Unary(context, "ListQuotas", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListQuotasResponse> {
                        ASSIGN_OR_RETURN(size_t size, PageSize(request->page_size(), 100, 1000));
                        std::vector<v1::SourceQuota> found =
                            tenants_.Of(caller).coordinator.ListQuotas(request->page_token(), size + 1);
                        v1::ListQuotasResponse answer;
                        if (found.size() > size) {
                          found.pop_back();
                          answer.set_next_page_token(found.back().quota());
                        }
                        for (v1::SourceQuota& quota : found) *answer.add_quotas() = std::move(quota);
                        return answer;
                      });
}

grpc::Status CoordinatorService::ReplayProfile(grpc::ServerContext* context, const v1::ReplayProfileRequest* request,
                                               v1::ReplayProfileResponse* response) {
  return guard_.Unary(
      context, "ReplayProfile", *request, response,
      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ReplayProfileResponse> {
        ASSIGN_OR_RETURN(std::string id, ParseName(request->profile(), "profiles"));
        RETURN_IF_ERROR(tenants_.Of(caller).profiles.Refresh(id));  // it may have been mended a moment ago
        return tenants_.Of(caller).coordinator.ReplayProfile(id, *request, caller.principal);
      });
}

grpc::Status CoordinatorService::ListCaptures(grpc::ServerContext* context, const v1::ListCapturesRequest* request,
                                              v1::ListCapturesResponse* response) {
  return guard_.Unary(context, "ListCaptures", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListCapturesResponse> {
                        ASSIGN_OR_RETURN(size_t size, PageSize(request->page_size(), 100, 1000));
                        std::vector<v1::Capture> found = tenants_.Of(caller).coordinator.ListCaptures(
                            request->page_token(), size + 1, request->profile_id(), caller.projects);
                        v1::ListCapturesResponse answer;
                        if (found.size() > size) {
                          found.pop_back();
                          answer.set_next_page_token(CaptureTable::TokenOf(found.back()));
                        }
                        for (v1::Capture& capture : found) *answer.add_captures() = std::move(capture);
                        return answer;
                      });
}

grpc::Status CoordinatorService::ShadowProfile(grpc::ServerContext* context, const v1::ShadowProfileRequest* request,
                                               v1::Shadow* response) {
  return guard_.Unary(
      context, "ShadowProfile", *request, response, [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Shadow> {
        ASSIGN_OR_RETURN(std::string id, ParseName(request->profile(), "profiles"));
        RETURN_IF_ERROR(tenants_.Of(caller).profiles.Refresh(id));  // it may have been applied a moment ago
        return tenants_.Of(caller).coordinator.AskForShadow(id, *request);
      });
}

grpc::Status CoordinatorService::GetShadow(grpc::ServerContext* context, const v1::GetShadowRequest* request,
                                           v1::Shadow* response) {
  return guard_.Unary(context, "GetShadow", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Shadow> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "shadows"));
                        return tenants_.Of(caller).coordinator.GetShadow(id);
                      });
}

// What is posted is data and not recorded; that somebody posts what is not signed as it has to be, is.
void CoordinatorService::RecordRefusal(const rpc::Caller& caller, const v1::ReceiveWebhookRequest& request,
                                       const absl::Status& status) const {
  Count("chartly_auth_refusals_total", 1, Reason(status));
  if (audit_ == nullptr) return;
  rpc::AuditEntry entry;
  entry.actor = caller.principal;
  entry.action = "CoordinatorService.ReceiveWebhook";
  entry.subject = absl::StrCat("profiles/", request.profile());
  entry.outcome = absl::StatusCodeToString(status.code());
  entry.request_id = caller.request_id;
  entry.tenant = request.tenant().empty() ? caller.tenant : request.tenant();
  entry.address = caller.address;
  audit_->Refused(entry);
}

grpc::Status CoordinatorService::ReceiveWebhook(grpc::ServerContext* context, const v1::ReceiveWebhookRequest* request,
                                                v1::ReceiveWebhookResponse* response) {
  return guard_.Unary(context, "ReceiveWebhook", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ReceiveWebhookResponse> {
                        // Whoever posts has no key: the tenant is in the address, and one that nobody has made has no
                        // webhooks.
                        const std::string& name = request->tenant();
                        CoordinatorTenant* tenant = tenants_.Find(name.empty() ? rpc::kDefaultTenant : name);
                        if (tenant == nullptr) return Coordinator::NoWebhook(request->profile());
                        const MetricTenant metrics(name);
                        auto received = tenant->webhooks.Receive(*request);
                        if (absl::IsUnauthenticated(received.status())) {
                          RecordRefusal(caller, *request, received.status());
                        }
                        return received;
                      });
}

grpc::ServerWriteReactor<v1::Event>* CoordinatorService::WatchEvents(grpc::CallbackServerContext* context,
                                                                     const v1::WatchEventsRequest* request) {
  auto watch = std::make_shared<EventWatch>(guard_, tenants_);
  watch->Begin(*context, *request);
  return watch.get();  // it holds itself until gRPC is done with it
}

}  // namespace chartly::coordinator
