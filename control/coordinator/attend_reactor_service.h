// One Attend stream. Only *_service files may see gRPC types, hence the name.
//
// Events come from gRPC's threads and from the intake's. What they decide under the lock is done afterwards, by one
// thread at a time and the end last, since gRPC may call back while it is being called. It reads on while little of
// what it read waits to be heard. Each message is held to who the caller is now: a stream may last for weeks.
#ifndef CHARTLY_CONTROL_COORDINATOR_ATTEND_REACTOR_SERVICE_H_
#define CHARTLY_CONTROL_COORDINATOR_ATTEND_REACTOR_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/coordinator/coordinator_tenant.h"
#include "control/coordinator/drone_intake.h"

namespace chartly::coordinator {

// Bytes of beats of one stream that may wait to be heard, and the most that one beat may have.
inline constexpr size_t kAttendWindowBytes = size_t{64} << 10;
inline constexpr size_t kMaxBeatBytes = size_t{1} << 20;

class AttendReactor final : public grpc::ServerBidiReactor<v1::HeartbeatRequest, v1::HeartbeatResponse>,
                            public DroneStream,
                            public std::enable_shared_from_this<AttendReactor> {
 public:
  // Both must outlive it.
  AttendReactor(const rpc::Guard& guard, const rpc::Tenants<CoordinatorTenant>& tenants);

  // Admits the caller and begins to read. Called once, when a shared_ptr holds it.
  void Begin(grpc::CallbackServerContext& context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void OnHeard(size_t bytes) override;
  void Send(v1::HeartbeatResponse answer) override;
  void End(const absl::Status& status) override;

 private:
  absl::Status Check();
  absl::Status Readmit();
  void DecideRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DecideEnd(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Does what was decided.
  void Act() ABSL_LOCKS_EXCLUDED(mu_);

  const rpc::Guard& guard_;
  const rpc::Tenants<CoordinatorTenant>& tenants_;
  DroneIntake* intake_ = nullptr;  // of the caller's tenant; null until it is admitted
  const absl::Time start_;
  grpc::CallbackServerContext* context_ = nullptr;  // of the call, which lasts until OnDone
  absl::Time admitted_at_;
  rpc::Caller caller_;                   // who began it
  rpc::Caller speaker_;                  // the same as it was when last asked; of the reads alone
  std::shared_ptr<AttendReactor> self_;  // until OnDone
  v1::HeartbeatRequest request_;         // of the one read in progress
  v1::HeartbeatResponse answer_;         // of the one write in progress

  absl::Mutex mu_;
  size_t unheard_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  // Decided and not done yet.
  bool read_due_ ABSL_GUARDED_BY(mu_) = false;
  bool write_due_ ABSL_GUARDED_BY(mu_) = false;
  bool finish_due_ ABSL_GUARDED_BY(mu_) = false;
  bool acting_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_ATTEND_REACTOR_SERVICE_H_
