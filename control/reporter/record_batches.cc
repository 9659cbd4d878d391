#include "control/reporter/record_batches.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/clock/proto_time.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"

namespace chartly::reporter {

std::unique_ptr<grpc::ClientContext> RecordBatches::MakeContext() const {
  std::unique_ptr<grpc::ClientContext> context =
      caller_ == nullptr ? std::make_unique<grpc::ClientContext>() : grpc::ClientContext::FromServerContext(*caller_);
  rpc::Prepare(*context, timeout_);
  return context;
}

absl::Status RecordBatches::Scan(const std::string& profile_id,
                                 absl::FunctionRef<absl::Status(const RecordPiece& piece)> take) {
  std::unique_ptr<grpc::ClientContext> context = MakeContext();
  auto stub = v1::RecordService::NewStub(peers_.Channel(Part::kAggregator));
  v1::ScanBatchesRequest request;
  request.set_profile_id(profile_id);
  request.set_chunks(true);
  if (as_of_ != absl::InfiniteFuture()) *request.mutable_as_of() = ToTimestamp(as_of_);
  auto reader = stub->ScanBatches(context.get(), request);
  v1::ScanBatchesResponse response;
  absl::Status taken;
  while (taken.ok() && reader->Read(&response)) {
    taken = IsCancelled() ? Error(absl::StatusCode::kCancelled, "REPORT_CANCELLED", "the caller went away")
                          : take({response.batch(), response.current(), response.chunk()});
  }
  if (!taken.ok()) context->TryCancel();
  absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  if (!taken.ok()) return taken;
  if (absl::IsNotFound(status)) return absl::OkStatus();  // a profile without records
  return Annotate(status, absl::StrCat("read batches of ", profile_id, " from the aggregator at ",
                                       peers_.Address(Part::kAggregator)));
}

absl::StatusOr<std::vector<std::string>> RecordBatches::Profiles() {
  std::unique_ptr<grpc::ClientContext> context = MakeContext();
  v1::ResultsSummary summary;
  auto stub = v1::RecordService::NewStub(peers_.Channel(Part::kAggregator));
  absl::Status status = rpc::FromGrpcStatus(stub->GetResultsSummary(context.get(), {}, &summary));
  if (!status.ok()) return Annotate(status, absl::StrCat("ask the aggregator at ", peers_.Address(Part::kAggregator)));
  std::vector<std::string> profiles;
  for (const v1::ProfileCount& profile : summary.profiles()) profiles.push_back(profile.profile_id());
  return profiles;
}

}  // namespace chartly::reporter
