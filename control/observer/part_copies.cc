#include "control/observer/part_copies.h"

#include "chartly/v1/observer.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"

namespace chartly::observer {
namespace {

// A large store takes hours; dropping files takes little.
constexpr absl::Duration kCopyTimeout = absl::Hours(24);
constexpr absl::Duration kKeepTimeout = absl::Minutes(10);

}  // namespace

absl::Status RpcPartCopies::Call(absl::Duration timeout,
                                 const std::function<grpc::Status(grpc::ClientContext&)>& call) {
  grpc::ClientContext context;
  rpc::Prepare(context, timeout);
  {
    absl::MutexLock lock(&mu_);
    if (cancelled_) return absl::CancelledError("the observer is stopping");
    calls_.insert(&context);
  }
  const grpc::Status status = call(context);
  absl::MutexLock lock(&mu_);
  calls_.erase(&context);
  return rpc::FromGrpcStatus(status);
}

absl::StatusOr<storage::v1::PartBackup> RpcPartCopies::Make(Part part) {
  v1::BackUpPartRequest request;
  request.set_part(InfoOf(part).name);
  v1::BackUpPartResponse response;
  RETURN_IF_ERROR(Call(kCopyTimeout, [&](grpc::ClientContext& context) {
    return v1::PartBackupService::NewStub(peers_.Channel(part))->BackUpPart(&context, request, &response);
  }));
  return std::move(*response.mutable_backup());
}

absl::Status RpcPartCopies::Keep(Part part, const KeptCopies& kept) {
  v1::KeepPartBackupsRequest request;
  request.set_part(InfoOf(part).name);
  request.mutable_numbers()->Add(kept.numbers.begin(), kept.numbers.end());
  request.mutable_positions()->Add(kept.positions.begin(), kept.positions.end());
  v1::KeepPartBackupsResponse response;
  return Call(kKeepTimeout, [&](grpc::ClientContext& context) {
    return v1::PartBackupService::NewStub(peers_.Channel(part))->KeepPartBackups(&context, request, &response);
  });
}

void RpcPartCopies::Cancel() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

}  // namespace chartly::observer
