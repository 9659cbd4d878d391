#include "common/rpc/health_check.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "google/protobuf/wrappers.pb.h"

namespace chartly::rpc {
namespace {

constexpr char kMethod[] = "/grpc.health.v1.Health/Check";
constexpr int kServing = 1;

absl::Status NotServing(absl::string_view what) {
  return Error(absl::StatusCode::kFailedPrecondition, "NOT_SERVING", what);
}

}  // namespace

absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                         absl::Duration timeout) {
  // No package installs the messages of grpc.health.v1; these have the same bytes: HealthCheckRequest is one string
  // with number 1, HealthCheckResponse one enum with number 1.
  using Request = google::protobuf::StringValue;
  using Response = google::protobuf::Int32Value;
  grpc::ClientContext context;
  Prepare(context, timeout);
  Request request;
  request.set_value(service);
  Response response;
  grpc::Status status;
  absl::Notification done;
  grpc::TemplatedGenericStub<Request, Response> stub(channel);
  stub.UnaryCall(&context, kMethod, grpc::StubOptions(), &request, &response, [&](grpc::Status result) {
    status = std::move(result);
    done.Notify();
  });
  done.WaitForNotification();
  if (status.ok() && response.value() == kServing) return absl::OkStatus();
  if (status.ok()) return NotServing(absl::StrCat(service, " answers that it does not serve"));
  if (status.error_code() == grpc::NOT_FOUND) return NotServing(absl::StrCat("the server has no ", service));
  return FromGrpcStatus(status);
}

}  // namespace chartly::rpc
