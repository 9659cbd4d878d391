#include "control/gateway/event_stream.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/clock/steady_clock.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/gateway/http_error.h"
#include "control/gateway/json_writer.h"

namespace chartly::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A part that refuses a stream does so at once; after this time it is taken as accepted.
constexpr absl::Duration kOpenAfter = absl::Milliseconds(250);

std::string EventText(const Message& message) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  std::string out;
  const FieldDescriptor* id = type.FindFieldByName("id");
  if (id != nullptr && !id->is_repeated() && id->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string text = message.GetReflection()->GetString(message, id);
    if (!text.empty() && text.find_first_of(std::string("\r\n\0", 3)) == std::string::npos) {
      absl::StrAppend(&out, "id: ", text, "\n");
    }
  }
  if (type.real_oneof_decl_count() > 0) {
    const FieldDescriptor* subject = message.GetReflection()->GetOneofFieldDescriptor(message, type.oneof_decl(0));
    if (subject != nullptr) absl::StrAppend(&out, "event: ", subject->name(), "\n");
  }
  absl::StrAppend(&out, "data: ", WriteJson(message), "\n\n");
  return out;
}

}  // namespace

EventStream::EventStream(std::shared_ptr<http::Reply> reply, std::string request_id)
    : reply_(std::move(reply)),
      request_id_(std::move(request_id)),
      created_(SteadyNow()),
      last_write_(absl::InfinitePast()) {}

bool EventStream::WriteLocked(std::string text) {
  if (ended_) return false;
  if (!open_) {
    open_ = true;
    reply_->StartStream(http::Response{200,
                                       {{"Content-Type", "text/event-stream"},
                                        {"Cache-Control", "no-store"},
                                        {"X-Accel-Buffering", "no"},
                                        {"X-Content-Type-Options", "nosniff"},
                                        {"X-Request-Id", request_id_}},
                                       ""});
    text = absl::StrCat("retry: 2000\n\n", text);
  }
  last_write_ = SteadyNow();
  return reply_->Write(std::move(text));
}

bool EventStream::OnMessage(const Message& message) {
  std::string text = EventText(message);
  absl::MutexLock lock(&mu_);
  return WriteLocked(std::move(text));
}

void EventStream::OnEnd(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (ended_) return;
  http::Response error;
  if (!status.ok()) error = ErrorAnswer(status, request_id_);
  if (!open_ && !status.ok() && !cancelled_) {
    error.headers.emplace_back("X-Request-Id", request_id_);
    reply_->Send(std::move(error));
  } else {
    std::string last;
    if (!status.ok() && !cancelled_) {
      last = absl::StrCat("event: stream_error\ndata: ", absl::StripTrailingAsciiWhitespace(error.body), "\n\n");
    }
    WriteLocked(std::move(last));
    reply_->End();
  }
  ended_ = true;
  call_.reset();
}

void EventStream::Tick(absl::Time now, absl::Duration interval) {
  absl::MutexLock lock(&mu_);
  if (!open_ && now - created_ < kOpenAfter) return;
  if (open_ && now - last_write_ < interval) return;
  WriteLocked(": heartbeat\n\n");
}

void EventStream::SetCall(std::shared_ptr<Call> call) {
  bool cancel = false;
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return;
    call_ = call;
    cancel = cancelled_;
  }
  if (cancel) call->Cancel();
}

void EventStream::Cancel() {
  std::shared_ptr<Call> call;
  {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    call = call_;
  }
  if (call != nullptr) call->Cancel();
}

EventStreams::EventStreams(absl::Duration heartbeat_interval, int max_streams)
    : heartbeat_interval_(heartbeat_interval),
      max_streams_(static_cast<size_t>(max_streams)),
      ticker_([this] { Run(); }) {}

EventStreams::~EventStreams() {
  Shutdown();
  ticker_.join();
}

absl::Status EventStreams::Add(std::shared_ptr<EventStream> stream) {
  absl::MutexLock lock(&mu_);
  if (stopping_) {
    return Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the gateway is shutting down");
  }
  if (streams_.size() >= max_streams_) {
    return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS",
                 absl::StrCat("all ", max_streams_, " event streams are taken; close one or poll instead"));
  }
  streams_.insert(std::move(stream));
  SetGauge("chartly_event_streams", static_cast<double>(streams_.size()));
  return absl::OkStatus();
}

void EventStreams::Remove(const std::shared_ptr<EventStream>& stream) {
  absl::MutexLock lock(&mu_);
  streams_.erase(stream);
  SetGauge("chartly_event_streams", static_cast<double>(streams_.size()));
}

void EventStreams::Shutdown() {
  std::set<std::shared_ptr<EventStream>> streams;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    streams = streams_;
  }
  for (const auto& stream : streams) stream->Cancel();
}

void EventStreams::Run() {
  const absl::Duration step = std::min(kOpenAfter, heartbeat_interval_);
  absl::MutexLock lock(&mu_);
  while (!mu_.AwaitWithTimeout(absl::Condition(&stopping_), step)) {
    std::set<std::shared_ptr<EventStream>> streams = streams_;
    mu_.Unlock();
    for (const auto& stream : streams) stream->Tick(SteadyNow(), heartbeat_interval_);
    streams.clear();
    mu_.Lock();
  }
}

}  // namespace chartly::gateway
