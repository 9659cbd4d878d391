#include "control/reporter/record_batches.h"

#include <algorithm>
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

v1::ScanBatchesRequest RecordBatches::Question(const std::string& profile_id) const {
  v1::ScanBatchesRequest question;
  question.set_profile_id(profile_id);
  question.set_chunks(true);
  if (as_of_ != absl::InfiniteFuture()) *question.mutable_as_of() = ToTimestamp(as_of_);
  absl::MutexLock lock(&mutex_);
  auto seen = last_batches_.find(profile_id);
  if (seen != last_batches_.end()) question.set_last_batch(seen->second);
  return question;
}

absl::Status RecordBatches::Stream(const v1::ScanBatchesRequest& question,
                                   absl::FunctionRef<absl::Status(const v1::ScanBatchesResponse&)> take) {
  std::unique_ptr<grpc::ClientContext> context = MakeContext();
  auto stub = v1::RecordService::NewStub(peers_.Channel(Part::kAggregator));
  auto reader = stub->ScanBatches(context.get(), question);
  v1::ScanBatchesResponse response;
  absl::Status taken;
  while (taken.ok() && reader->Read(&response)) {
    taken = IsCancelled() ? Error(absl::StatusCode::kCancelled, "REPORT_CANCELLED", "the caller went away")
                          : take(response);
  }
  if (!taken.ok()) context->TryCancel();
  absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  if (!taken.ok()) return taken;
  if (absl::IsNotFound(status)) return absl::OkStatus();  // a profile without records
  return Annotate(status, absl::StrCat("read batches of ", question.profile_id(), " from the aggregator at ",
                                       peers_.Address(Part::kAggregator)));
}

absl::Status RecordBatches::Scan(const std::string& profile_id, const ScanSpan* only, Take take) {
  v1::ScanBatchesRequest question = Question(profile_id);
  if (only != nullptr) {
    v1::DimSpan& span = *question.mutable_span();
    span.set_dim(only->dim);
    span.set_from(only->span.from);
    span.set_below(only->span.below);
  }
  return Stream(question, [&](const v1::ScanBatchesResponse& response) {
    return take({response.batch(), response.current(), response.chunk()});
  });
}

absl::StatusOr<std::vector<KeyStretch>> RecordBatches::Outline(const std::string& profile_id, const std::string& dim) {
  v1::ScanBatchesRequest question = Question(profile_id);
  question.set_outline(true);
  question.mutable_span()->set_dim(dim);
  std::vector<KeyStretch> stretches;
  int64_t last_batch = 0;
  RETURN_IF_ERROR(Stream(question, [&](const v1::ScanBatchesResponse& response) {
    const v1::ScanBatchesResponse::Outline& outline = response.outline();
    last_batch = std::max(last_batch, outline.last_batch());
    if (outline.rows() > 0) stretches.push_back({outline.rows(), outline.min(), outline.max()});
    return absl::OkStatus();
  }));
  absl::MutexLock lock(&mutex_);
  if (last_batch > 0) last_batches_.emplace(profile_id, last_batch);
  return stretches;
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
