// The gRPC face of the coordinator: names, pages and streams; the rest is Coordinator. Thread-safe; all arguments must
// outlive it.
#ifndef CHARTLY_CONTROL_COORDINATOR_COORDINATOR_SERVICE_H_
#define CHARTLY_CONTROL_COORDINATOR_COORDINATOR_SERVICE_H_

#include "chartly/v1/coordinator.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/coordinator/coordinator_tenant.h"

namespace chartly::coordinator {

// What drones call takes no thread while it waits.
using CoordinatorServiceBase = v1::CoordinatorService::WithCallbackMethod_RegisterDrone<
    v1::CoordinatorService::WithCallbackMethod_Heartbeat<v1::CoordinatorService::WithCallbackMethod_Attend<
        v1::CoordinatorService::WithCallbackMethod_WatchEvents<v1::CoordinatorService::Service>>>>;

class CoordinatorService final : public CoordinatorServiceBase {
 public:
  CoordinatorService(rpc::Tenants<CoordinatorTenant>& tenants, const rpc::Authenticator& authenticator,
                     rpc::AuditSink* audit);

  grpc::ServerUnaryReactor* RegisterDrone(grpc::CallbackServerContext* context, const v1::RegisterDroneRequest* request,
                                          v1::Drone* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context, const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) override;
  grpc::ServerBidiReactor<v1::HeartbeatRequest, v1::HeartbeatResponse>* Attend(
      grpc::CallbackServerContext* context) override;
  grpc::Status ListDrones(grpc::ServerContext* context, const v1::ListDronesRequest* request,
                          v1::ListDronesResponse* response) override;
  grpc::Status GetDrone(grpc::ServerContext* context, const v1::GetDroneRequest* request, v1::Drone* response) override;
  grpc::Status GetDroneStats(grpc::ServerContext* context, const v1::GetDroneStatsRequest* request,
                             v1::DroneStats* response) override;
  grpc::Status ListDroneWork(grpc::ServerContext* context, const v1::ListDroneWorkRequest* request,
                             v1::ListDroneWorkResponse* response) override;
  grpc::Status DrainDrone(grpc::ServerContext* context, const v1::DrainDroneRequest* request,
                          v1::Drone* response) override;
  grpc::Status PreviewAssignments(grpc::ServerContext* context, const v1::PreviewAssignmentsRequest* request,
                                  v1::PreviewAssignmentsResponse* response) override;
  grpc::Status CreateRun(grpc::ServerContext* context, const v1::CreateRunRequest* request, v1::Run* response) override;
  grpc::Status RunProfileNow(grpc::ServerContext* context, const v1::RunProfileNowRequest* request,
                             v1::Run* response) override;
  grpc::Status ListRuns(grpc::ServerContext* context, const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override;
  grpc::Status GetRun(grpc::ServerContext* context, const v1::GetRunRequest* request, v1::Run* response) override;
  grpc::Status CancelRun(grpc::ServerContext* context, const v1::CancelRunRequest* request, v1::Run* response) override;
  grpc::Status GetProfileStatus(grpc::ServerContext* context, const v1::GetProfileStatusRequest* request,
                                v1::ProfileStatus* response) override;
  grpc::Status ListRollouts(grpc::ServerContext* context, const v1::ListRolloutsRequest* request,
                            v1::ListRolloutsResponse* response) override;
  grpc::Status GetRollout(grpc::ServerContext* context, const v1::GetRolloutRequest* request,
                          v1::Rollout* response) override;
  grpc::Status AbortRollout(grpc::ServerContext* context, const v1::AbortRolloutRequest* request,
                            v1::Rollout* response) override;
  grpc::Status AcceptRollout(grpc::ServerContext* context, const v1::AcceptRolloutRequest* request,
                             v1::Rollout* response) override;
  grpc::Status CreateBackfill(grpc::ServerContext* context, const v1::CreateBackfillRequest* request,
                              v1::Backfill* response) override;
  grpc::Status ListBackfills(grpc::ServerContext* context, const v1::ListBackfillsRequest* request,
                             v1::ListBackfillsResponse* response) override;
  grpc::Status GetBackfill(grpc::ServerContext* context, const v1::GetBackfillRequest* request,
                           v1::Backfill* response) override;
  grpc::Status ListPartitions(grpc::ServerContext* context, const v1::ListPartitionsRequest* request,
                              v1::ListPartitionsResponse* response) override;
  grpc::Status PauseBackfill(grpc::ServerContext* context, const v1::PauseBackfillRequest* request,
                             v1::Backfill* response) override;
  grpc::Status ResumeBackfill(grpc::ServerContext* context, const v1::ResumeBackfillRequest* request,
                              v1::Backfill* response) override;
  grpc::Status CancelBackfill(grpc::ServerContext* context, const v1::CancelBackfillRequest* request,
                              v1::Backfill* response) override;
  grpc::Status RetryBackfill(grpc::ServerContext* context, const v1::RetryBackfillRequest* request,
                             v1::Backfill* response) override;
  grpc::Status ListQuotas(grpc::ServerContext* context, const v1::ListQuotasRequest* request,
                          v1::ListQuotasResponse* response) override;
  grpc::Status ReplayProfile(grpc::ServerContext* context, const v1::ReplayProfileRequest* request,
                             v1::ReplayProfileResponse* response) override;
  grpc::Status ListCaptures(grpc::ServerContext* context, const v1::ListCapturesRequest* request,
                            v1::ListCapturesResponse* response) override;
  grpc::Status ShadowProfile(grpc::ServerContext* context, const v1::ShadowProfileRequest* request,
                             v1::Shadow* response) override;
  grpc::Status GetShadow(grpc::ServerContext* context, const v1::GetShadowRequest* request,
                         v1::Shadow* response) override;
  grpc::Status ReceiveWebhook(grpc::ServerContext* context, const v1::ReceiveWebhookRequest* request,
                              v1::ReceiveWebhookResponse* response) override;
  grpc::ServerWriteReactor<v1::Event>* WatchEvents(grpc::CallbackServerContext* context,
                                                   const v1::WatchEventsRequest* request) override;

 private:
  // Schedules a run with the profile as the registry has it now, or as it was last known if the registry is away.
  absl::StatusOr<v1::Run> ScheduleFresh(const std::string& profile_id, const rpc::Caller& caller);
  // Of a payload whose signature, time or headers are wrong.
  void RecordRefusal(const rpc::Caller& caller, const v1::ReceiveWebhookRequest& request,
                     const absl::Status& status) const;
  template <typename Request, typename Response, typename Submit>
  grpc::ServerUnaryReactor* CallOfDrone(grpc::CallbackServerContext* context, const char* method,
                                        const Request& request, Response* response, Submit submit);

  rpc::Tenants<CoordinatorTenant>& tenants_;
  const rpc::Guard guard_;
  rpc::AuditSink* const audit_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_COORDINATOR_SERVICE_H_
