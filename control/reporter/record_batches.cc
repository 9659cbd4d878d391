#include "control/reporter/record_batches.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"

namespace chartly::reporter {

absl::Status RecordBatches::Scan(
    const std::string& profile_id,
    absl::FunctionRef<absl::Status(absl::string_view batch, absl::string_view current)> take) {
  std::unique_ptr<grpc::ClientContext> context = grpc::ClientContext::FromServerContext(caller_);
  rpc::Prepare(*context, timeout_);
  auto stub = v1::RecordService::NewStub(peers_.Channel(Part::kAggregator));
  v1::ScanBatchesRequest request;
  request.set_profile_id(profile_id);
  auto reader = stub->ScanBatches(context.get(), request);
  v1::ScanBatchesResponse response;
  absl::Status taken;
  while (taken.ok() && reader->Read(&response)) {
    taken = caller_.IsCancelled() ? Error(absl::StatusCode::kCancelled, "REPORT_CANCELLED", "the caller went away")
                                  : take(response.batch(), response.current());
  }
  if (!taken.ok()) context->TryCancel();
  absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  if (!taken.ok()) return taken;
  if (absl::IsNotFound(status)) return absl::OkStatus();  // a profile without records
  return Annotate(status, absl::StrCat("read batches of ", profile_id, " from the aggregator at ",
                                       peers_.Address(Part::kAggregator)));
}

}  // namespace chartly::reporter
