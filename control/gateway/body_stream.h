// A server stream as the body of one answer: the pieces of one field of its messages, in step with the reader. A
// message is asked for when what came before is nearly sent, so a slow reader holds back the part that writes.
//
// Thread-safe. Held by its call.
#ifndef CHARTLY_CONTROL_GATEWAY_BODY_STREAM_H_
#define CHARTLY_CONTROL_GATEWAY_BODY_STREAM_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/http/http_server.h"
#include "control/gateway/rpc_caller.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

class BodyStream {
 public:
  // `data` is the field of bytes; messages carry at most 512 KiB of it.
  BodyStream(std::shared_ptr<http::Reply> reply, std::string request_id, const google::protobuf::FieldDescriptor& data)
      : data_(data), request_id_(std::move(request_id)), reply_(std::move(reply)) {}

  StreamNext OnMessage(const google::protobuf::Message& message, Call& call);
  // An error before the first message becomes a plain error answer. Later the connection is closed without the end of
  // the body, so that no reader takes half a file for a whole one.
  void OnEnd(const absl::Status& status);

 private:
  void Open(const google::protobuf::Message& first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const google::protobuf::FieldDescriptor& data_;
  const std::string request_id_;
  absl::Mutex mu_;
  std::shared_ptr<http::Reply> reply_ ABSL_GUARDED_BY(mu_);  // null after the end
  bool open_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_BODY_STREAM_H_
