#include "control/aggregator/aggregator_tenant.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/rpc/caller.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/tenants.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

constexpr absl::Duration kRegistryTimeout = absl::Seconds(10);

absl::StatusOr<ProfileRevision> AskRegistry(const rpc::Peers& peers, const std::string& profile_id) {
  grpc::ClientContext context;
  rpc::Prepare(context, kRegistryTimeout);
  v1::GetProfileRequest request;
  request.set_name(absl::StrCat("profiles/", profile_id));
  v1::Profile profile;
  grpc::Status status =
      v1::RegistryService::NewStub(peers.Channel(chartly::Part::kRegistry))->GetProfile(&context, request, &profile);
  if (!status.ok()) return rpc::FromGrpcStatus(status);
  return ProfileRevision{profile.content(), absl::StrCat("profiles/", profile_id, "@", profile.revision())};
}

}  // namespace

absl::StatusOr<std::unique_ptr<AggregatorTenant>> AggregatorTenant::Open(const std::string& tenant,
                                                                         const AggregatorConfig& config,
                                                                         std::shared_ptr<KvStore> kv,
                                                                         const rpc::Peers& peers, Clock& clock) {
  std::unique_ptr<AggregatorTenant> opened(new AggregatorTenant);
  const size_t dedupe_bytes =
      tenant == rpc::kDefaultTenant ? config.dedupe_bytes : config.dedupe_bytes / rpc::kMaxTenants;
  ASSIGN_OR_RETURN(opened->store_, KvRecordStore::Open(std::move(kv), tenant));
  ASSIGN_OR_RETURN(opened->committer_, Committer::Open(*opened->store_, clock, dedupe_bytes));
  opened->eraser_ = std::make_unique<Eraser>(*opened->store_, *opened->committer_, clock);
  RETURN_IF_ERROR(Annotate(opened->eraser_->Resume(), "finishing a deletion"));
  SealerOptions sealer = config.sealer;
  sealer.merge.id_bytes = dedupe_bytes / 4;
  opened->sealer_ = std::make_unique<Sealer>(*opened->store_, *opened->committer_, sealer);
  opened->sealer_->Start();
  opened->query_ = std::make_unique<RecordQuery>(*opened->store_);
  opened->exports_ = std::make_unique<RecordExport>(*opened->store_);
  opened->explainer_ =
      std::make_unique<RecordExplainer>(*opened->store_, *opened->query_, &opened->committer_->unsealed_batches());
  const FindRevision find_revision = [&own = peers.ForTenant(tenant)](const std::string& profile_id) {
    return AskRegistry(own, profile_id);
  };
  opened->redriver_ = std::make_unique<Redriver>(*opened->store_, *opened->committer_, clock, find_revision, tenant);
  opened->inspector_ = std::make_unique<StoreInspector>(*opened->store_);
  opened->retention_ =
      std::make_unique<Retention>(*opened->store_, *opened->eraser_, clock, config.retention_interval, find_revision);
  return opened;
}

absl::Status AggregatorTenant::Start() {
  retention_->Start();
  return absl::OkStatus();
}

void AggregatorTenant::Shutdown() {
  if (sealer_ != nullptr) sealer_->Stop();
  if (committer_ != nullptr) committer_->Shutdown();
  // A deletion under way ends with the committer, and is finished at the next start.
  if (retention_ != nullptr) retention_->Stop();
}

}  // namespace chartly::aggregator
