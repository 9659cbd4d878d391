// One watcher of events. Only *_service files may see gRPC types, hence the name.
//
// Nothing waits for it: it is told of news and of the end of each write, and sends what there is. Now and then the
// caller is asked again who it is, so that a stream does not outlive the key it was opened with. Lives from its making
// until gRPC is done with it.
#ifndef CHARTLY_CONTROL_COORDINATOR_EVENT_WATCH_SERVICE_H_
#define CHARTLY_CONTROL_COORDINATOR_EVENT_WATCH_SERVICE_H_

#include <grpcpp/alarm.h>

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/coordinator/coordinator_tenant.h"

namespace chartly::coordinator {

inline constexpr int kMaxWatchers = 256;
// How often the caller is asked again who it is.
inline constexpr absl::Duration kReadmitEach = absl::Seconds(15);

class EventWatch final : public grpc::ServerWriteReactor<v1::Event>,
                         public EventListener,
                         public std::enable_shared_from_this<EventWatch> {
 public:
  // Both must outlive it.
  EventWatch(const rpc::Guard& guard, const rpc::Tenants<CoordinatorTenant>& tenants);
  ~EventWatch() override;

  // Admits the caller and begins to send. Called once, when a shared_ptr holds it.
  void Begin(grpc::CallbackServerContext& context, const v1::WatchEventsRequest& request);

  void OnNews() override { Send(); }
  void OnSendInitialMetadataDone(bool ok) override { OnWriteDone(ok); }
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  absl::Status Admit(const grpc::CallbackServerContext& context, const v1::WatchEventsRequest& request);
  // Whether the caller may hear of it.
  bool IsTold(const v1::Event& event) const;
  EventLog& events() { return tenant_->events; }
  // Sends the next event, or the end, unless something is being sent.
  void Send() ABSL_LOCKS_EXCLUDED(mu_);
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void ReadmitAfter(absl::Duration time);
  void Readmit() ABSL_LOCKS_EXCLUDED(mu_);

  const rpc::Guard& guard_;
  const rpc::Tenants<CoordinatorTenant>& tenants_;
  CoordinatorTenant* tenant_ = nullptr;  // the caller's; null until it is admitted
  const absl::Time start_;
  rpc::Caller caller_;
  grpc::CallbackServerContext* context_ = nullptr;  // of the call, which lasts until OnDone
  std::unique_ptr<grpc::Alarm> alarm_;              // one a time it is set, for it is set again while it goes off
  std::shared_ptr<EventWatch> self_;                // until OnDone
  v1::Event event_;                                 // of the one write in progress

  absl::Mutex mu_;
  int64_t position_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<v1::Event> waiting_ ABSL_GUARDED_BY(mu_);
  bool busy_ ABSL_GUARDED_BY(mu_) = true;  // until it has begun
  bool gone_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_EVENT_WATCH_SERVICE_H_
