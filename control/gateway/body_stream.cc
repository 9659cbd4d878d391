#include "control/gateway/body_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/gateway/http_error.h"

namespace chartly::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A text field of the message; empty if it has none of that name.
std::string TextOf(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  bool is_text = field != nullptr && !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return is_text ? message.GetReflection()->GetString(message, field) : "";
}

}  // namespace

void BodyStream::Open(const Message& first) {
  open_ = true;
  std::string type = TextOf(first, "content_type");
  http::Response head{200,
                      {{"Content-Type", type.empty() ? "application/octet-stream" : type},
                       {"Cache-Control", "no-store"},
                       {"X-Accel-Buffering", "no"},
                       {"X-Content-Type-Options", "nosniff"},
                       {"X-Request-Id", request_id_}},
                      ""};
  std::string name = TextOf(first, "file_name");
  // Parts name files with letters, digits, dots and dashes; whatever else one names, it stays inside of the quotes.
  if (!name.empty() && name.find_first_of("\"\\\r\n") == std::string::npos) {
    head.headers.emplace_back("Content-Disposition", absl::StrCat("attachment; filename=\"", name, "\""));
  }
  reply_->StartStream(std::move(head));
}

StreamNext BodyStream::OnMessage(const Message& message, Call& call) {
  std::shared_ptr<http::Reply> reply;
  {
    absl::MutexLock lock(&mu_);
    if (reply_ == nullptr) return StreamNext::kStop;
    if (!open_) Open(message);
    reply = reply_;
  }
  if (!reply->Write(message.GetReflection()->GetString(message, &data_))) return StreamNext::kStop;
  reply->OnRoom([&call] { call.Resume(); });
  return StreamNext::kWait;
}

void BodyStream::OnEnd(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<http::Reply> reply = std::exchange(reply_, nullptr);
  if (reply == nullptr) return;
  if (status.ok() && open_) return reply->End();
  if (open_) return;  // dropped without its end
  http::Response error = ErrorAnswer(status, request_id_);
  error.headers.emplace_back("X-Request-Id", request_id_);
  reply->Send(std::move(error));
}

}  // namespace chartly::gateway
