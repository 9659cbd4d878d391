// One Attend stream to the coordinator: the caller's thread writes, a thread of its own reads. What was read waits
// until it is taken, and nothing more is read until then.
//
// Send, Take and Finish are called from one thread; Cancel may be called from any.
#ifndef CHARTLY_DRONE_SESSION_ATTEND_STREAM_H_
#define CHARTLY_DRONE_SESSION_ATTEND_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/coordinator.grpc.pb.h"

namespace chartly::drone {

class AttendStream {
 public:
  // Opens it. `on_news` is called from the reading thread when there is something to take, and at the end.
  AttendStream(v1::CoordinatorService::Stub& stub, std::function<void()> on_news);
  // Cancels it.
  ~AttendStream();
  // Says false if the stream is over.
  bool Send(const v1::HeartbeatRequest& beat);
  // The next answer, if one is there.
  std::optional<v1::HeartbeatResponse> Take();
  // Whether the coordinator has ended it, or it broke, and all answers were taken.
  bool closed() const;
  void Cancel();
  // Ends it and says why it ended: what the coordinator said, else `why`.
  absl::Status Finish(const absl::Status& why);

 private:
  using Call = grpc::ClientReaderWriter<v1::HeartbeatRequest, v1::HeartbeatResponse>;
  void ReadLoop();
  void Join();

  const std::function<void()> on_news_;
  grpc::ClientContext context_;
  std::unique_ptr<Call> call_;
  mutable absl::Mutex mu_;
  std::optional<v1::HeartbeatResponse> answer_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::thread reader_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SESSION_ATTEND_STREAM_H_
