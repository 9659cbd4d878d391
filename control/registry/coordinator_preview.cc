#include "control/registry/coordinator_preview.h"

#include "absl/strings/str_cat.h"
#include "chartly/v1/coordinator.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::vector<v1::PlannedDrone>> CoordinatorPreview::Preview(
    const v1::PreviewAssignmentsRequest& request) {
  grpc::ClientContext context;
  rpc::Prepare(context, kTimeout);
  auto stub = v1::CoordinatorService::NewStub(peers_.Channel(Part::kCoordinator));
  v1::PreviewAssignmentsResponse response;
  absl::Status status = rpc::FromGrpcStatus(stub->PreviewAssignments(&context, request, &response));
  RETURN_IF_ERROR(Annotate(status, absl::StrCat("ask the coordinator at ", peers_.Address(Part::kCoordinator))));
  return std::vector<v1::PlannedDrone>(response.drones().begin(), response.drones().end());
}

}  // namespace chartly::registry
