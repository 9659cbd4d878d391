#include "control/audit/audit_tenant.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/caller.h"
#include "common/state/tenant_state.h"
#include "common/status/status.h"
#include "control/audit/checkpoint_export.h"

namespace chartly::audit {
namespace {

using Exports = std::vector<std::unique_ptr<CheckpointExport>>;

absl::StatusOr<Exports> MakeExports(const AuditConfig& config, net::HttpClient& http, const Secrets& secrets) {
  Exports exports;
  if (!config.checkpoint_file.empty()) {
    ASSIGN_OR_RETURN(exports.emplace_back(), OpenCheckpointFile(config.checkpoint_file));
  }
  if (!config.webhook_url.empty()) {
    RETURN_IF_ERROR(Annotate(secrets.Get(config.webhook_key).status(), "the webhook of checkpoints"));
    exports.push_back(MakeCheckpointWebhook({config.webhook_url, config.webhook_key}, http, secrets));
  }
  return exports;
}

// As the deployment has it, with names of its own.
AuditConfig ConfigOf(const std::string& tenant, AuditConfig config) {
  if (tenant == rpc::kDefaultTenant) return config;
  if (!config.origin.empty()) absl::StrAppend(&config.origin, "/", tenant);
  if (!config.checkpoint_file.empty()) absl::StrAppend(&config.checkpoint_file, ".", tenant);
  return config;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditTenant>> AuditTenant::Open(const std::string& tenant, const AuditConfig& config,
                                                               StateStore& shared, net::HttpClient& http,
                                                               const Secrets& secrets, Clock& clock) {
  const AuditConfig own = ConfigOf(tenant, config);
  std::unique_ptr<AuditTenant> opened(new AuditTenant);
  opened->store_ = MakeTenantState(shared, tenant);
  ASSIGN_OR_RETURN(opened->log_, AuditLog::Open(*opened->store_, clock));
  ASSIGN_OR_RETURN(Exports exports, MakeExports(own, http, secrets));
  CheckpointOptions options;
  options.key_dir = own.data_dir + "/audit-keys";
  if (tenant != rpc::kDefaultTenant) absl::StrAppend(&options.key_dir, "/tenants/", tenant);
  options.origin = own.origin;
  ASSIGN_OR_RETURN(opened->keeper_,
                   CheckpointKeeper::Open(*opened->store_, *opened->log_, options, std::move(exports)));
  opened->upkeep_ = std::make_unique<AuditUpkeep>(*opened->store_, *opened->log_, clock, own.keep);
  return opened;
}

absl::Status AuditTenant::Start() {
  keeper_->Start();
  upkeep_->Start();
  return absl::OkStatus();
}

std::string AuditTenant::Health() {
  for (const absl::Status& status : {log_->Health(), keeper_->Health()}) {
    if (!status.ok()) return std::string(status.message());
  }
  return "";
}

void AuditTenant::Shutdown() {
  upkeep_->Shutdown();
  keeper_->Shutdown();
}

}  // namespace chartly::audit
