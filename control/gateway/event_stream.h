// A server stream as server-sent events to one browser: `id` from the field id of the message, `event` from its oneof,
// `data` the message as JSON. Quiet streams get a comment now and then; a reader that leaves or is too slow ends the
// call.
//
// Thread-safe. Held by the set until its end.
#ifndef CHARTLY_CONTROL_GATEWAY_EVENT_STREAM_H_
#define CHARTLY_CONTROL_GATEWAY_EVENT_STREAM_H_

#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/http/http_server.h"
#include "control/gateway/rpc_caller.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

class EventStream {
 public:
  EventStream(std::shared_ptr<http::Reply> reply, std::string request_id);

  // False once the reader is gone.
  bool OnMessage(const google::protobuf::Message& message);
  // An error before the first message becomes a plain error answer, later an event "stream_error".
  void OnEnd(const absl::Status& status);
  // Opens the stream if that has not happened for a while, then writes a comment if it was quiet for `interval`.
  void Tick(absl::Time now, absl::Duration interval);
  void SetCall(std::shared_ptr<Call> call);
  void Cancel();

 private:
  bool WriteLocked(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<http::Reply> reply_;
  const std::string request_id_;
  absl::Mutex mu_;
  const absl::Time created_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time last_write_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Call> call_ ABSL_GUARDED_BY(mu_);
};

// All open streams and the thread that ticks them.
class EventStreams {
 public:
  EventStreams(absl::Duration heartbeat_interval, int max_streams);
  ~EventStreams();

  // ResourceExhausted (TOO_MANY_STREAMS) at the limit.
  absl::Status Add(std::shared_ptr<EventStream> stream);
  void Remove(const std::shared_ptr<EventStream>& stream);
  // Cancels all and takes no more.
  void Shutdown();

 private:
  void Run();

  const absl::Duration heartbeat_interval_;
  const size_t max_streams_;
  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::set<std::shared_ptr<EventStream>> streams_ ABSL_GUARDED_BY(mu_);
  std::thread ticker_;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_EVENT_STREAM_H_
