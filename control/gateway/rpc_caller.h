// Calls methods of the parts by descriptor, without generated stubs and without blocking a thread. Thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_RPC_CALLER_H_
#define CHARTLY_CONTROL_GATEWAY_RPC_CALLER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/config/parts.h"
#include "common/rpc/peers.h"
#include "common/text/secret.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

struct CallOptions {
  Secret api_key;  // or session, or token
  std::string request_id;
  std::string address;  // of who asked
  absl::Duration timeout = absl::InfiniteDuration();
};

// A call under way. Cancel may come at any time, from any thread, also after its end.
class Call {
 public:
  virtual ~Call() = default;
  virtual void Cancel() = 0;
  // Asks for the next message of a stream. Once, and only after kWait.
  virtual void Resume() = 0;
};

// What a stream does after a message: reads the next one, waits for Resume, or ends.
enum class StreamNext { kRead, kWait, kStop };

class RpcCaller {
 public:
  using MessagePtr = std::unique_ptr<google::protobuf::Message>;
  using Done = std::function<void(absl::StatusOr<MessagePtr>)>;

  // `peers` must outlive the caller and its calls.
  explicit RpcCaller(const rpc::Peers& peers) : peers_(peers) {}
  ~RpcCaller() { AwaitIdle(); }
  // Waits for the calls under way. Requires: they were cancelled or will end.
  void AwaitIdle();

  // `done` is called once, on a thread of gRPC, and must not block. ResourceExhausted (MESSAGE_TOO_LARGE) if the
  // request does not fit one message; Unavailable names the part: PART_UNREACHABLE, or PART_BUSY with the detail
  // retry_after_seconds if it had no thread for the call for half a second, so that nothing was done.
  std::shared_ptr<Call> Unary(Part part, const google::protobuf::MethodDescriptor& method,
                              const google::protobuf::Message& request, const CallOptions& options, Done done);
  // Calls `on_message` for each message, in order, until it says kStop (then the call is cancelled), and `on_end` once.
  // Before kWait it sees to it that Resume is called, come what may: the call lasts until then.
  std::shared_ptr<Call> Stream(Part part, const google::protobuf::MethodDescriptor& method,
                               const google::protobuf::Message& request, const CallOptions& options,
                               std::function<StreamNext(const google::protobuf::Message&, Call&)> on_message,
                               std::function<void(absl::Status)> on_end);

 private:
  void Started();
  void Ended();

  const rpc::Peers& peers_;
  absl::Mutex mu_;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_RPC_CALLER_H_
