#include "control/aggregator/aggregator_component.h"

#include "common/status/status.h"
#include "control/aggregator/kv_record_store.h"

namespace chartly::aggregator {

absl::StatusOr<std::unique_ptr<AggregatorComponent>> AggregatorComponent::Open(const AggregatorConfig& config,
                                                                               const rpc::Authenticator& authenticator,
                                                                               rpc::AuditSink* audit) {
  std::unique_ptr<AggregatorComponent> component(new AggregatorComponent);
  KvOptions options;
  options.memory_bytes = config.memory_bytes;
  options.large_values = true;
  ASSIGN_OR_RETURN(component->store_, KvRecordStore::Open(config.data_dir + "/records", options));
  ASSIGN_OR_RETURN(component->committer_, Committer::Open(*component->store_, component->clock_, config.dedupe_bytes));
  component->query_ = std::make_unique<RecordQuery>(*component->store_);
  component->exports_ = std::make_unique<RecordExport>(*component->store_);
  component->explainer_ = std::make_unique<RecordExplainer>(*component->store_, *component->query_);
  component->ingest_ = std::make_unique<IngestService>(*component->committer_, authenticator, audit);
  component->records_ =
      std::make_unique<RecordService>(*component->committer_, *component->query_, *component->exports_,
                                      *component->explainer_, component->clock_, authenticator, audit);
  return component;
}

void AggregatorComponent::Shutdown() {
  if (ingest_ != nullptr) ingest_->Stop();
  if (committer_ != nullptr) committer_->Shutdown();
}

}  // namespace chartly::aggregator
