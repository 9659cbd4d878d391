#include "control/audit/audit_component.h"

#include <utility>

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

}  // namespace

absl::StatusOr<std::unique_ptr<AuditComponent>> AuditComponent::Open(const AuditConfig& config,
                                                                     const rpc::Authenticator& authenticator,
                                                                     rpc::AuditSink* audit, Clock& clock) {
  std::unique_ptr<AuditComponent> component(new AuditComponent(config));
  // Whoever starts this process chose the address of the webhook.
  component->http_ = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  ASSIGN_OR_RETURN(component->store_, OpenEmbeddedStateStore(config.data_dir + "/audit", clock));
  ASSIGN_OR_RETURN(component->log_, AuditLog::Open(*component->store_, clock));
  ASSIGN_OR_RETURN(Exports exports, MakeExports(config, *component->http_, component->secrets_));
  CheckpointOptions options;
  options.key_dir = config.data_dir + "/audit-keys";
  options.origin = config.origin;
  ASSIGN_OR_RETURN(component->keeper_,
                   CheckpointKeeper::Open(*component->store_, *component->log_, options, std::move(exports)));
  component->upkeep_ = std::make_unique<AuditUpkeep>(*component->store_, *component->log_, clock, config.keep);
  component->service_ = std::make_unique<AuditService>(
      AuditService::Deps{*component->store_, *component->log_, *component->keeper_, *component->upkeep_}, authenticator,
      audit);
  return component;
}

absl::Status AuditComponent::Start() {
  keeper_->Start();
  upkeep_->Start();
  return absl::OkStatus();
}

std::string AuditComponent::Health() {
  for (const absl::Status& status : {log_->Health(), keeper_->Health()}) {
    if (!status.ok()) return std::string(status.message());
  }
  return "";
}

void AuditComponent::Shutdown() {
  upkeep_->Shutdown();
  keeper_->Shutdown();
}

}  // namespace chartly::audit
