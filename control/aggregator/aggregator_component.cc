#include "control/aggregator/aggregator_component.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kv/kv_backup.h"
#include "common/kv/log_repair.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace chartly::aggregator {
namespace {

// If the end of the log is damaged, with what was written before: drones learn what is missing and send again what they
// hold (docs/formats/ingest.md), and the health says so to everybody else. Any other damage is refused.
absl::StatusOr<std::unique_ptr<KvStore>> OpenOrRepair(const std::string& path, const KvOptions& options) {
  absl::StatusOr<std::unique_ptr<KvStore>> kv = OpenKvStore(path, options);
  if (!absl::IsDataLoss(kv.status())) return kv;
  const absl::StatusOr<std::optional<std::string>> cut = CutDamagedLog(path);
  if (!cut.ok()) LogError("a damaged log cannot be repaired", {{"error", std::string(cut.status().message())}});
  if (!cut.ok() || !cut->has_value()) return kv;
  LogError(
      "the end of the log of the store was damaged and is set aside; what was acked there is lost unless it is sent "
      "again",
      {{"store", path}, {"damage", **cut}});
  return OpenKvStore(path, options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AggregatorComponent>> AggregatorComponent::Open(const AggregatorConfig& config,
                                                                               const rpc::Authenticator& authenticator,
                                                                               rpc::AuditSink* audit,
                                                                               const rpc::Peers& peers) {
  KvOptions options;
  options.memory_bytes = config.memory_bytes;
  options.large_values = true;
  options.keep_log_bytes = config.keep_log_bytes;
  const std::string path = config.data_dir + "/records";
  ASSIGN_OR_RETURN(std::shared_ptr<KvStore> kv, OpenOrRepair(path, options));
  ASSIGN_OR_RETURN(const std::vector<std::string> tenants, TenantsIn(*kv));
  std::unique_ptr<AggregatorComponent> component(
      new AggregatorComponent(config, std::move(kv), authenticator, audit, peers));
  RETURN_IF_ERROR(Annotate(component->tenants_.Open(tenants), path));
  return component;
}

AggregatorComponent::AggregatorComponent(const AggregatorConfig& config, std::shared_ptr<KvStore> kv,
                                         const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                                         const rpc::Peers& peers)
    : path_(config.data_dir + "/records"),
      kv_(std::move(kv)),
      tenants_([this, config, &peers](const std::string& tenant) {
        return AggregatorTenant::Open(tenant, config, kv_, peers, clock_);
      }),
      ingest_(tenants_, authenticator, audit),
      records_(tenants_, clock_, authenticator, audit) {}

absl::StatusOr<storage::v1::LedgerPosition> AggregatorComponent::LedgerOf(const std::string& folder, uint32_t number) {
  ASSIGN_OR_RETURN(std::shared_ptr<const KvReader> copy, OpenKvBackup(folder, number));
  ASSIGN_OR_RETURN(const std::vector<std::string> tenants, TenantsIn(*copy));
  storage::v1::LedgerPosition ledger;
  for (const std::string& tenant : tenants) {
    const KvRecordView store(copy, StoreKeys(tenant), std::make_shared<PartsByProfile>());
    ASSIGN_OR_RETURN(const uint64_t last_batch, store.LastBatch());
    ASSIGN_OR_RETURN(const int64_t acked_us, store.LastAckedUs());
    ASSIGN_OR_RETURN(const auto profiles, store.Profiles());
    // Each tenant numbers its own.
    ledger.set_last_batch(ledger.last_batch() + last_batch);
    ledger.set_acked_us(std::max(ledger.acked_us(), acked_us));
    for (const auto& [profile_id, profile] : profiles) {
      ledger.set_records(ledger.records() + profile.records());
      ledger.set_quarantined(ledger.quarantined() + profile.quarantined());
    }
  }
  return ledger;
}

std::string AggregatorComponent::Amiss() const {
  const std::string problem = tenants_.Amiss();
  const std::vector<std::string> cut = CutLogs(path_);
  if (!problem.empty() || cut.empty()) return problem;
  return absl::StrCat(
      "the end of a log of the store was damaged, and what was acked there is lost unless it is sent again; "
      "restore a backup that has it, or bear the loss. Then take this file away: ",
      cut.front());
}

void AggregatorComponent::Shutdown() {
  ingest_.Stop();
  tenants_.Shutdown();
}

}  // namespace chartly::aggregator
