#include "control/aggregator/aggregator_component.h"

#include "absl/strings/str_cat.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/kv/kv_backup.h"
#include "common/rpc/grpc_status.h"
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

absl::StatusOr<std::unique_ptr<AggregatorComponent>> AggregatorComponent::Open(const AggregatorConfig& config,
                                                                               const rpc::Authenticator& authenticator,
                                                                               rpc::AuditSink* audit,
                                                                               const rpc::Peers& peers) {
  std::unique_ptr<AggregatorComponent> component(new AggregatorComponent);
  KvOptions options;
  options.memory_bytes = config.memory_bytes;
  options.large_values = true;
  ASSIGN_OR_RETURN(component->store_, KvRecordStore::Open(config.data_dir + "/records", options));
  ASSIGN_OR_RETURN(component->committer_, Committer::Open(*component->store_, component->clock_, config.dedupe_bytes));
  component->eraser_ = std::make_unique<Eraser>(*component->store_, *component->committer_, component->clock_);
  RETURN_IF_ERROR(Annotate(component->eraser_->Resume(), "finishing a deletion"));
  component->sealer_ = std::make_unique<Sealer>(*component->store_, *component->committer_, config.sealer);
  component->sealer_->Start();
  component->query_ = std::make_unique<RecordQuery>(*component->store_);
  component->exports_ = std::make_unique<RecordExport>(*component->store_);
  component->explainer_ = std::make_unique<RecordExplainer>(*component->store_, *component->query_);
  const FindRevision find_revision = [&peers](const std::string& profile_id) { return AskRegistry(peers, profile_id); };
  component->redriver_ =
      std::make_unique<Redriver>(*component->store_, *component->committer_, component->clock_, find_revision);
  component->inspector_ = std::make_unique<StoreInspector>(*component->store_);
  component->retention_ = std::make_unique<Retention>(*component->store_, *component->eraser_, component->clock_,
                                                      config.retention_interval, find_revision);
  component->ingest_ = std::make_unique<IngestService>(*component->committer_, authenticator, audit);
  component->records_ = std::make_unique<RecordService>(
      RecordService::Deps{*component->store_, *component->committer_, *component->query_, *component->exports_,
                          *component->explainer_, *component->redriver_, *component->eraser_, *component->inspector_,
                          component->clock_},
      authenticator, audit);
  return component;
}

absl::StatusOr<storage::v1::LedgerPosition> AggregatorComponent::LedgerOf(const std::string& folder, uint32_t number) {
  ASSIGN_OR_RETURN(std::unique_ptr<KvReader> copy, OpenKvBackup(folder, number));
  const KvRecordView store(std::move(copy), StoreKeys(kDefaultTenant), std::make_shared<PartsByProfile>());
  storage::v1::LedgerPosition ledger;
  ASSIGN_OR_RETURN(const uint64_t last_batch, store.LastBatch());
  ASSIGN_OR_RETURN(const int64_t acked_us, store.LastAckedUs());
  ASSIGN_OR_RETURN(const auto profiles, store.Profiles());
  ledger.set_last_batch(last_batch);
  ledger.set_acked_us(acked_us);
  for (const auto& [profile_id, profile] : profiles) {
    ledger.set_records(ledger.records() + profile.records());
    ledger.set_quarantined(ledger.quarantined() + profile.quarantined());
  }
  return ledger;
}

absl::Status AggregatorComponent::Start() {
  retention_->Start();
  return absl::OkStatus();
}

void AggregatorComponent::Shutdown() {
  if (ingest_ != nullptr) ingest_->Stop();
  if (sealer_ != nullptr) sealer_->Stop();
  if (committer_ != nullptr) committer_->Shutdown();
  // A deletion under way ends with the committer, and is finished at the next start.
  if (retention_ != nullptr) retention_->Stop();
}

}  // namespace chartly::aggregator
