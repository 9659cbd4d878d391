#include "common/rpc/grpc_status.h"

#include "absl/strings/string_view.h"
#include "common/status/status.h"
#include "google/rpc/status.pb.h"

namespace chartly::rpc {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // The codes of the two types are the same numbers.
  auto code = static_cast<grpc::StatusCode>(status.code());
  std::string message(status.message());
  std::string info = ErrorInfoBytes(status);
  if (info.empty()) return grpc::Status(code, message);
  google::rpc::Status details;
  details.set_code(static_cast<int>(code));
  details.set_message(message);
  google::protobuf::Any& any = *details.add_details();
  any.set_type_url(kErrorInfoUrl);
  any.set_value(info);
  return grpc::Status(code, message, details.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status converted(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& any : details.details()) {
      if (any.type_url() == kErrorInfoUrl) AttachErrorInfo(converted, any.value());
    }
  }
  return converted;
}

}  // namespace chartly::rpc
