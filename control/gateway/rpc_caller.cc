#include "control/gateway/rpc_caller.h"

#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/guard.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/gateway/request_builder.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

std::string PathOf(const MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

absl::StatusOr<grpc::ByteBuffer> Serialize(const Message& message) {
  std::string bytes;
  if (!message.SerializeToString(&bytes)) {
    return Error(absl::StatusCode::kInvalidArgument, "REQUEST_INVALID", "the request cannot be encoded");
  }
  if (bytes.size() > static_cast<size_t>(rpc::kMaxMessageBytes)) {
    return Error(absl::StatusCode::kResourceExhausted, "MESSAGE_TOO_LARGE",
                 absl::StrCat("the request is ", bytes.size(), " bytes; at most ", rpc::kMaxMessageBytes,
                              " fit; send less at a time"));
  }
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

bool Parse(grpc::ByteBuffer& buffer, Message& message) {
  grpc::ProtoBufferReader reader(&buffer);
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
}

absl::Status NotParsed(const MethodDescriptor& method) {
  return Error(absl::StatusCode::kInternal, "ANSWER_INVALID",
               absl::StrCat("the answer of ", method.full_name(), " cannot be read"));
}

// What the gRPC of a part says, before anything of ours ran, when a burst of calls has taken all its threads.
bool FoundNoThread(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && status.error_details().empty() &&
         status.error_message() == "Server Threadpool Exhausted";
}

absl::Status FromCall(const grpc::Status& status, Part part) {
  if (FoundNoThread(status)) {
    return Error(absl::StatusCode::kUnavailable, "PART_BUSY",
                 absl::StrCat("the ", InfoOf(part).name, " has more calls than it can take; try again in a second"),
                 {{"part", InfoOf(part).name}, {"retry_after_seconds", "1"}});
  }
  absl::Status converted = rpc::FromGrpcStatus(status);
  if (converted.code() != absl::StatusCode::kUnavailable || !Reason(converted).empty()) return converted;
  return Error(absl::StatusCode::kUnavailable, "PART_UNREACHABLE",
               absl::StrCat("the ", InfoOf(part).name, " does not answer: ", status.error_message()),
               {{"part", InfoOf(part).name}});
}

void Prepare(grpc::ClientContext& context, const CallOptions& options) {
  if (options.timeout < absl::InfiniteDuration()) {
    rpc::Prepare(context, options.timeout, options.request_id);
  } else if (!options.request_id.empty()) {
    context.AddMetadata(rpc::kRequestIdMetadata, options.request_id);
  }
  if (!options.address.empty()) context.AddMetadata(rpc::kAddressMetadata, options.address);
  if (!options.api_key.empty()) context.AddMetadata(rpc::kApiKeyMetadata, options.api_key.Reveal());
}

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr int kMaxTries = 6;  // 620 ms of pauses in all

// Is repeated for a moment while the part has no thread for it.
class UnaryCall final : public Call, public std::enable_shared_from_this<UnaryCall> {
 public:
  using OnEnd = std::function<void(const grpc::Status&, grpc::ByteBuffer&)>;

  UnaryCall(std::shared_ptr<grpc::Channel> channel, std::string path, CallOptions options, OnEnd on_end)
      : channel_(std::move(channel)),
        path_(std::move(path)),
        options_(std::move(options)),
        deadline_(SteadyNow() + options_.timeout),
        on_end_(std::move(on_end)) {}

  void Cancel() override {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  void Resume() override {}

  void Try() {
    auto context = std::make_shared<grpc::ClientContext>();
    CallOptions options = options_;
    options.timeout = deadline_ - SteadyNow();
    Prepare(*context, options);
    {
      absl::MutexLock lock(&mu_);
      context_ = context;
      if (cancelled_) context->TryCancel();
    }
    ++tries_;
    grpc::GenericStub stub(channel_);
    stub.UnaryCall(context.get(), path_, grpc::StubOptions(), &request, &response_,
                   [self = shared_from_this(), context](const grpc::Status& status) { self->OnTried(status); });
  }

  grpc::ByteBuffer request;

 private:
  void OnTried(const grpc::Status& status) {
    const absl::Duration pause = kFirstPause * (1 << (tries_ - 1));
    const bool again = FoundNoThread(status) && tries_ < kMaxTries && SteadyNow() + pause < deadline_;
    if (!again) return on_end_(status, response_);
    alarm_ = std::make_unique<grpc::Alarm>();
    // An alarm keeps what it calls, and this keeps the alarm: what it calls must not keep this.
    alarm_->Set(absl::ToChronoTime(absl::Now() + pause), [self = shared_from_this()](bool) mutable {
      std::shared_ptr<UnaryCall> held = std::move(self);
      held->Try();
    });
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::string path_;
  const CallOptions options_;
  const absl::Time deadline_;
  const OnEnd on_end_;
  // One try at a time touches these.
  grpc::ByteBuffer response_;
  std::unique_ptr<grpc::Alarm> alarm_;
  int tries_ = 0;

  absl::Mutex mu_;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

// A server stream through the only streaming form of the generic stub: one message out, then many in.
class StreamCall final : public Call, public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  void Cancel() override { context.TryCancel(); }

  void Start(std::shared_ptr<StreamCall> self) {
    self_ = std::move(self);
    // All before StartCall: after it, the call may end, and the object with it, at any moment.
    StartWriteLast(&request, grpc::WriteOptions());
    StartRead(&incoming_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    std::unique_ptr<Message> message = NewMessage(*method->output_type());
    if (!Parse(incoming_, *message)) {
      failure_ = NotParsed(*method);
      return context.TryCancel();
    }
    // Resume may come from another thread, even before on_message is back: until then the call must not end.
    AddHold();
    StreamNext next = on_message(*message, *this);
    if (next == StreamNext::kWait) return;
    if (next == StreamNext::kRead) return Resume();
    failure_ = absl::CancelledError("the reader left");
    context.TryCancel();
    RemoveHold();
  }

  void Resume() override {
    StartRead(&incoming_);
    RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    on_end(failure_.ok() ? FromCall(status, part) : failure_);
    // Nothing comes after this; whoever can still cancel holds the object too.
    on_message = nullptr;
    on_end = nullptr;
    auto self = std::move(self_);
  }

  grpc::ClientContext context;
  grpc::ByteBuffer request;
  const MethodDescriptor* method = nullptr;
  Part part = Part::kRegistry;
  std::function<StreamNext(const Message&, Call&)> on_message;
  std::function<void(absl::Status)> on_end;

 private:
  grpc::ByteBuffer incoming_;
  absl::Status failure_;
  std::shared_ptr<StreamCall> self_;
};

}  // namespace

void RpcCaller::AwaitIdle() {
  absl::MutexLock lock(&mu_);
  auto none = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return under_way_ == 0; };
  mu_.Await(absl::Condition(&none));
}

void RpcCaller::Started() {
  absl::MutexLock lock(&mu_);
  ++under_way_;
}

void RpcCaller::Ended() {
  absl::MutexLock lock(&mu_);
  --under_way_;
}

std::shared_ptr<Call> RpcCaller::Unary(Part part, const MethodDescriptor& method, const Message& request,
                                       const CallOptions& options, Done done) {
  absl::StatusOr<grpc::ByteBuffer> bytes = Serialize(request);
  if (!bytes.ok()) {
    done(bytes.status());
    return std::make_shared<UnaryCall>(nullptr, "", options, nullptr);
  }
  auto on_end = [this, part, &method, done = std::move(done)](const grpc::Status& status, grpc::ByteBuffer& response) {
    MessagePtr answer = NewMessage(*method.output_type());
    if (!status.ok()) {
      done(FromCall(status, part));
    } else if (!Parse(response, *answer)) {
      done(NotParsed(method));
    } else {
      done(std::move(answer));
    }
    Ended();
  };
  Started();
  auto call = std::make_shared<UnaryCall>(peers_.Channel(part), PathOf(method), options, std::move(on_end));
  call->request = *std::move(bytes);
  call->Try();
  return call;
}

std::shared_ptr<Call> RpcCaller::Stream(Part part, const MethodDescriptor& method, const Message& request,
                                        const CallOptions& options,
                                        std::function<StreamNext(const Message&, Call&)> on_message,
                                        std::function<void(absl::Status)> on_end) {
  auto call = std::make_shared<StreamCall>();
  absl::StatusOr<grpc::ByteBuffer> bytes = Serialize(request);
  if (!bytes.ok()) {
    on_end(bytes.status());
    return call;
  }
  call->request = *std::move(bytes);
  call->method = &method;
  call->part = part;
  call->on_message = std::move(on_message);
  Started();
  call->on_end = [this, on_end = std::move(on_end)](absl::Status status) {
    on_end(std::move(status));
    Ended();
  };
  Prepare(call->context, options);
  grpc::GenericStub stub(peers_.Channel(part));
  stub.PrepareBidiStreamingCall(&call->context, PathOf(method), grpc::StubOptions(), call.get());
  call->Start(call);
  return call;
}

}  // namespace chartly::gateway
