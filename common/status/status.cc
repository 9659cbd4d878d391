#include "common/status/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/error.pb.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

bool ReadErrorInfo(const absl::Status& status, v1::ErrorInfo& info) {
  auto payload = status.GetPayload(kErrorInfoUrl);
  return payload.has_value() && info.ParseFromString(std::string(*payload));
}

}  // namespace

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message, ErrorDetails details) {
  // What is found in payloads goes into messages, and a message goes into protos, which nobody could read if it were no
  // UTF-8.
  absl::Status status(code, ToUtf8(message));
  v1::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : details) (*info.mutable_metadata())[std::string(key)] = ToUtf8(value);
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

std::string Reason(const absl::Status& status) {
  v1::ErrorInfo info;
  return ReadErrorInfo(status, info) ? info.reason() : std::string();
}

std::map<std::string, std::string> Details(const absl::Status& status) {
  v1::ErrorInfo info;
  std::map<std::string, std::string> details;
  if (ReadErrorInfo(status, info)) details.insert(info.metadata().begin(), info.metadata().end());
  return details;
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), ToUtf8(absl::StrCat(context, ": ", status.message())));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { annotated.SetPayload(url, payload); });
  return annotated;
}

std::string ErrorInfoBytes(const absl::Status& status) {
  auto payload = status.GetPayload(kErrorInfoUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

void AttachErrorInfo(absl::Status& status, absl::string_view error_info_bytes) {
  if (status.ok() || error_info_bytes.empty()) return;
  status.SetPayload(kErrorInfoUrl, absl::Cord(error_info_bytes));
}

}  // namespace chartly
