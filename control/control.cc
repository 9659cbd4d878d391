#include "control/control.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/backup/log_archiver.h"
#include "common/backup/restore.h"
#include "common/clock/clock.h"
#include "common/clock/steady_clock.h"
#include "common/config/address.h"
#include "common/gate/paced_reads.h"
#include "common/http/admin.h"
#include "common/net/http_client.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/credential_directory.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "common/text/secret.h"
#include "control/aggregator/aggregator_component.h"
#include "control/audit/audit_component.h"
#include "control/auth/auth_component.h"
#include "control/backup/part_backup_service.h"
#include "control/coordinator/coordinator_component.h"
#include "control/gateway/gateway_component.h"
#include "control/identity/part_identity.h"
#include "control/observer/observer_component.h"
#include "control/observer/part_health_service.h"
#include "control/registry/registry_component.h"
#include "control/releases/releases_component.h"
#include "control/reporter/reporter_component.h"

namespace chartly::control {
namespace {

constexpr absl::Duration kDrain = absl::Seconds(3);

// What the composition does with a part, whatever its type.
struct RunningPart {
  Part part;
  std::function<absl::Status()> start;
  std::function<http::PartCondition()> health;
  std::function<void()> shutdown;
  std::shared_ptr<void> keep;
};

// How the part is backed up, if it keeps anything. Calls end with the server, and parts live longer.
template <typename Component>
void OfferBackup(Part part, Component& component, backup::PartBackupService& backups, backup::LogArchiver* logs) {
  if constexpr (requires { component.source(); }) {
    backup::PartStore store;
    store.source = &component.source();
    if (logs != nullptr) logs->AddPart(InfoOf(part).name, component.source());
    if constexpr (requires { Component::LedgerOf(std::string(), uint32_t{}); }) store.ledger = Component::LedgerOf;
    backups.AddPart(InfoOf(part).name, std::move(store));
  }
}

template <typename Component>
RunningPart Wrap(Part part, std::unique_ptr<Component> component, rpc::RpcServer& server,
                 backup::PartBackupService& backups, backup::LogArchiver* logs) {
  std::shared_ptr<Component> shared = std::move(component);
  OfferBackup(part, *shared, backups, logs);
  for (grpc::Service* service : shared->services()) server.AddService(service);
  RunningPart running;
  running.part = part;
  running.start = [shared]() -> absl::Status {
    if constexpr (requires { shared->Start(); }) return shared->Start();
    return absl::OkStatus();
  };
  running.health = [shared, logs, name = InfoOf(part).name] {
    http::PartCondition condition{shared->Health(), ""};
    if constexpr (requires { shared->Amiss(); }) condition.amiss = shared->Amiss();
    if (logs != nullptr && condition.amiss.empty()) condition.amiss = logs->Fault(name);
    return condition;
  };
  running.shutdown = [shared] { shared->Shutdown(); };
  running.keep = shared;
  return running;
}

absl::Status PrepareFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && ::access(path.c_str(), W_OK) == 0) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "DATA_FOLDER_UNUSABLE",
               absl::StrCat("cannot write to the data folder ", path, ": ",
                            error ? error.message() : std::strerror(errno), "; choose another with --data"),
               {{"path", path}});
}

absl::StatusOr<audit::AuditConfig> AuditConfigOf(const ControlConfig& config) {
  audit::AuditConfig audit;
  audit.data_dir = config.data_dir;
  audit.origin = config.audit_origin;
  audit.checkpoint_file = config.audit_checkpoints;
  audit.webhook_url = config.audit_webhook;
  audit.secrets_dir = config.secrets_dir;
  audit.keep = absl::Hours(24 * config.audit_keep_days);
  if (config.audit_webhook.empty()) return audit;
  const std::pair<std::string, std::string> key = absl::StrSplit(config.audit_webhook_key, absl::MaxSplits('/', 1));
  if (key.first.empty() || key.second.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "FLAG_INVALID",
                 "--audit-webhook needs --audit-webhook-key NAME/KEY, the secret that signs what is posted");
  }
  audit.webhook_key = {key.first, key.second};
  return audit;
}

absl::StatusOr<auth::TokenConfig> TokenConfigOf(const ControlConfig& config) {
  auth::TokenConfig tokens;
  if (config.oidc_issuer.empty()) return tokens;
  tokens.issuer = config.oidc_issuer;
  tokens.audience = config.oidc_audience;
  tokens.role_claim = config.oidc_role_claim;
  tokens.tenant_claim = config.oidc_tenant_claim;
  tokens.project_claim = config.oidc_project_claim;
  for (const std::string& text : config.oidc_roles) {
    const std::pair<std::string, std::string> rule = absl::StrSplit(text, absl::MaxSplits('=', 1));
    ASSIGN_OR_RETURN(const rpc::Role role, rpc::ParseRole(rule.first));
    if (role == rpc::Role::kNone || rule.second.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "FLAG_INVALID",
                   absl::StrCat("--oidc-role takes ROLE=VALUE, such as viewer=everyone, not '", text, "'"));
    }
    rpc::Role& known = tokens.roles[rule.second];
    known = std::max(known, role);
  }
  ASSIGN_OR_RETURN(tokens.authorities, net::ReadAuthorities(config.oidc_ca_file));
  return tokens;
}

class ControlProcess final : public Control {
 public:
  explicit ControlProcess(const ControlConfig& config)
      : config_(config), peers_(config.peers, ""), gateway_peers_(config.peers, "") {}

  ~ControlProcess() override { Shutdown(); }

  absl::Status Start() {
    RETURN_IF_ERROR(PrepareFolder(config_.data_dir));
    RETURN_IF_ERROR(backup::CheckRestored(config_.data_dir));
    RETURN_IF_ERROR(SetUpIdentity());
    RETURN_IF_ERROR(SetUpTls());
    for (Part part : config_.parts) {
      if (part == Part::kGateway) continue;
      absl::StatusOr<RunningPart> opened = Open(part);
      if (!opened.ok()) return Annotate(opened.status(), InfoOf(part).name);
      parts_.push_back(*std::move(opened));
    }
    RETURN_IF_ERROR(StartServer());
    for (RunningPart& part : parts_) RETURN_IF_ERROR(Annotate(part.start(), InfoOf(part.part).name));
    if (logs_ != nullptr) logs_->Start();
    RETURN_IF_ERROR(StartHttp());
    RETURN_IF_ERROR(WritePortsFile());
    ready_ = true;
    SetGauge("chartly_build_info", 1, kVersion);
    LogInfo("serving", {{"version", kVersion},
                        {"without_key", std::string(rpc::RoleName(anonymous_))},
                        {"gateway", gateway_ ? GatewayAddress() : "elsewhere"}});
    return absl::OkStatus();
  }

  void Shutdown() override {
    ready_ = false;
    // Fronts first, then the parts (which ends their streams), then the server that carried them.
    if (gateway_ != nullptr) gateway_->Shutdown(kDrain);
    if (audit_sink_ != nullptr) audit_sink_->Shutdown();
    for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) part->shutdown();
    server_.Shutdown(kDrain);
    if (logs_ != nullptr) logs_->Shutdown();
    if (admin_ != nullptr) admin_->Shutdown(absl::ZeroDuration());
    if (identity_ != nullptr) identity_->Shutdown();
    gateway_.reset();
    admin_.reset();
    parts_.clear();
  }

 private:
  bool Runs(Part part) const {
    return std::find(config_.parts.begin(), config_.parts.end(), part) != config_.parts.end();
  }

  absl::Status SetUpIdentity() {
    std::string path = config_.key_file.empty() ? config_.data_dir + "/admin.key" : config_.key_file;
    ASSIGN_OR_RETURN(std::string admin_key, rpc::LoadOrCreateAdminKey(path));
    admin_key_ = Secret(std::move(admin_key));
    ASSIGN_OR_RETURN(anonymous_, AnonymousRole());
    authenticator_ = std::make_unique<rpc::KeyAuthenticator>(
        std::vector<rpc::DeploymentKey>{{"admin", admin_key_.Reveal()},
                                        {"registry-key", config_.registry_api_key, rpc::Role::kPublisher}},
        anonymous_);
    authenticator_->SetDirectory(directory_);
    peers_.SetApiKey(admin_key_.Reveal());
    audit_sink_ = std::make_unique<rpc::RpcAuditSink>(peers_);
    if (KeepLogBytes() > 0) {
      logs_ = std::make_unique<backup::LogArchiver>(config_.backup_dir, config_.backup_log_interval, clock_);
    }
    backups_ = std::make_unique<backup::PartBackupService>(config_.backup_dir, logs_.get(), *authenticator_,
                                                           audit_sink_.get());
    server_.AddService(backups_.get());
    conditions_ = std::make_unique<observer::PartHealthService>(
        [this](const std::string& part) { return TellCondition(part); }, *authenticator_, audit_sink_.get());
    server_.AddService(conditions_.get());
    return absl::OkStatus();
  }

  // Of each store; none is kept if nobody archives it.
  size_t KeepLogBytes() const {
    const bool is_archived = !config_.backup_dir.empty() && config_.backup_log_interval > absl::ZeroDuration();
    return is_archived ? config_.backup_log_bytes : 0;
  }

  std::string TlsDir() const { return config_.tls_dir.empty() ? config_.data_dir + "/tls" : config_.tls_dir; }

  absl::Status SetUpTls() {
    if (!config_.rpc_tls) return absl::OkStatus();
    RETURN_IF_ERROR(PrepareFolder(config_.data_dir + "/tls"));
    PartIdentityOptions options;
    options.authority_dir = TlsDir();
    options.file = absl::StrCat(config_.data_dir, "/tls/", InfoOf(config_.parts.front()).name, ".pem");
    options.life = config_.certificate_life;
    ASSIGN_OR_RETURN(identity_, PartIdentity::Create(std::move(options), clock_));
    server_.UseTls(identity_->files());
    peers_.SetTls(identity_->files());
    gateway_peers_.SetTls(identity_->files());
    identity_->Start();
    return absl::OkStatus();
  }

  // Whoever is on this host is trusted to read, unless somebody decided otherwise.
  absl::StatusOr<rpc::Role> AnonymousRole() const {
    if (!config_.anonymous_role.empty()) return rpc::ParseRole(config_.anonymous_role);
    std::vector<std::string> hosts = {config_.rpc_host};
    if (Runs(Part::kGateway)) {
      ASSIGN_OR_RETURN(Address listen, ParseAddress(config_.listen));
      hosts.push_back(listen.host);
    }
    for (const auto& [part, text] : config_.rpc_listen) {
      ASSIGN_OR_RETURN(Address listen, ParseAddress(text));
      hosts.push_back(listen.host);
    }
    return std::all_of(hosts.begin(), hosts.end(), IsLoopback) ? rpc::Role::kViewer : rpc::Role::kNone;
  }

  absl::StatusOr<RunningPart> Open(Part part) {
    const std::string& data = config_.data_dir;
    const size_t keep_log = KeepLogBytes();
    rpc::AuditSink* sink = audit_sink_.get();
    switch (part) {
      case Part::kRegistry: {
        ASSIGN_OR_RETURN(auto opened,
                         registry::RegistryComponent::Open({data, keep_log}, *authenticator_, sink, peers_, clock_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kAggregator: {
        aggregator::AggregatorConfig config;
        config.data_dir = data;
        config.dedupe_bytes = config_.dedupe_bytes;
        config.memory_bytes = config_.memory_bytes;
        config.keep_log_bytes = keep_log;
        config.retention_interval = config_.retention_interval;
        ASSIGN_OR_RETURN(auto opened, aggregator::AggregatorComponent::Open(config, *authenticator_, sink, peers_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kCoordinator: {
        coordinator::CoordinatorConfig config;
        config.data_dir = data;
        config.heartbeat_interval = config_.heartbeat_interval;
        config.secrets_dir = config_.secrets_dir;
        config.keep_log_bytes = keep_log;
        ASSIGN_OR_RETURN(auto opened,
                         coordinator::CoordinatorComponent::Open(config, *authenticator_, sink, peers_, clock_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kReporter: {
        reporter::ReporterConfig config;
        config.data_dir = data;
        config.limits.memory_bytes_max = static_cast<int64_t>(config_.report_bytes);
        config.keep_log_bytes = keep_log;
        ASSIGN_OR_RETURN(auto opened, reporter::ReporterComponent::Open(config, *authenticator_, sink, peers_, clock_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kAuth: {
        auth::AuthConfig config{data, TlsDir(), config_.certificate_life};
        config.keep_log_bytes = keep_log;
        config.sessions = {config_.session_idle, config_.session_life};
        ASSIGN_OR_RETURN(config.tokens, TokenConfigOf(config_));
        config.sign_in = {config_.oidc_client_id, config_.oidc_client_secret_file, config_.public_url,
                          config_.oidc_scopes};
        ASSIGN_OR_RETURN(auto opened, auth::AuthComponent::Open(config, *authenticator_, sink, clock_));
        authenticator_->SetDirectory(*opened);
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kAudit: {
        ASSIGN_OR_RETURN(audit::AuditConfig config, AuditConfigOf(config_));
        config.keep_log_bytes = keep_log;
        ASSIGN_OR_RETURN(auto opened, audit::AuditComponent::Open(config, *authenticator_, sink, clock_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kObserver: {
        observer::ObserverConfig config;
        config.gateway_address = Runs(Part::kGateway) ? config_.listen : "";
        config.backups.folder = config_.backup_dir;
        config.backups.keep = config_.backup_keep;
        config.backups.bucket = config_.backup_bucket;
        config.gate_selector = config_.gate_selector;
        config.kube_folder = config_.kube_folder;
        config.backups.log_interval = config_.backup_log_interval;
        ASSIGN_OR_RETURN(auto opened, observer::ObserverComponent::Open(config, *authenticator_, sink, peers_, clock_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kReleases: {
        ASSIGN_OR_RETURN(auto opened,
                         releases::ReleasesComponent::Open({data, keep_log}, *authenticator_, sink, clock_));
        return Wrap(part, std::move(opened), server_, *backups_, logs_.get());
      }
      case Part::kGateway:
        break;
    }
    return absl::InternalError("no such part");
  }

  absl::Status StartServer() {
    if (parts_.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(Address gateway, ParseAddress(config_.listen));
    for (const RunningPart& part : parts_) {
      auto override_address = config_.rpc_listen.find(part.part);
      server_.Listen(override_address != config_.rpc_listen.end()
                         ? override_address->second
                         : Address{config_.rpc_host, PortFor(InfoOf(part.part), gateway.port)}.ToString());
    }
    if (!Runs(Part::kGateway)) server_.SpareRelayed();
    RETURN_IF_ERROR(server_.Start());
    for (const RunningPart& part : parts_) {
      peers_.SetLocal(part.part, server_);
      gateway_peers_.SetLocal(part.part, server_);
    }
    server_.SetServing(true);
    return absl::OkStatus();
  }

  http::PartCondition ConditionOf(const RunningPart& part) const {
    http::PartCondition condition = part.health();
    if (identity_ != nullptr && condition.amiss.empty()) condition.amiss = std::string(identity_->health().message());
    return condition;
  }

  absl::StatusOr<v1::PartCondition> TellCondition(const std::string& name) const {
    if (!ready_) {
      return Error(absl::StatusCode::kFailedPrecondition, "NOT_SERVING", "its process starts or ends");
    }
    for (const RunningPart& part : parts_) {
      if (InfoOf(part.part).name != name) continue;
      const http::PartCondition condition = ConditionOf(part);
      v1::PartCondition told;
      told.set_problem(condition.problem);
      told.set_amiss(condition.amiss);
      return told;
    }
    return Error(absl::StatusCode::kNotFound, "PART_NOT_HERE", absl::StrCat("no part ", name, " runs in this process"),
                 {{"part", name}});
  }

  http::AdminDeps MakeAdminDeps() {
    http::AdminDeps deps;
    deps.process = "chartly-control";
    deps.version = kVersion;
    deps.health = [this] {
      std::map<std::string, http::PartCondition> health;
      for (const RunningPart& part : parts_) health[InfoOf(part.part).name] = ConditionOf(part);
      if (gateway_ == nullptr) return health;
      http::PartCondition& gateway = health[InfoOf(Part::kGateway).name];
      gateway.problem = gateway_->Health();
      if (identity_ != nullptr) gateway.amiss = std::string(identity_->health().message());
      return health;
    };
    deps.ready = [this] { return ready_.load(); };
    return deps;
  }

  absl::Status StartHttp() {
    ASSIGN_OR_RETURN(Address listen, ParseAddress(config_.listen));
    if (Runs(Part::kGateway)) {
      gateway::GatewayConfig config;
      config.listen = config_.listen;
      config.anonymous = anonymous_;
      config.api_key = admin_key_;
      config.trusted_proxies = config_.trusted_proxies;
      config.http.tls = {config_.tls_certificate, config_.tls_key};
      config.http.budgets = &gate::PacedReads::OfProcess().budgets();
      ASSIGN_OR_RETURN(gateway_,
                       gateway::GatewayComponent::Open(config, gateway_peers_, MakeAdminDeps(), audit_sink_.get()));
    }
    std::string admin_listen = config_.admin_listen;
    if (admin_listen.empty()) {
      Part first = Runs(Part::kGateway) ? Part::kGateway : config_.parts.front();
      admin_listen = Address{config_.rpc_host, AdminPortFor(InfoOf(first), listen.port)}.ToString();
    }
    admin_ =
        http::HttpServer::Create([deps = MakeAdminDeps()](http::Request request, std::shared_ptr<http::Reply> reply) {
          if (http::ServeAdmin(deps, request, *reply)) return;
          reply->Send({404, {{"Content-Type", "text/plain"}}, "this port serves /health, /ready and /metrics\n"});
        });
    return admin_->Start(admin_listen);
  }

  std::string GatewayAddress() const {
    absl::StatusOr<Address> listen = ParseAddress(config_.listen);
    return listen.ok() ? Address{listen->host, gateway_->port()}.ToString() : config_.listen;
  }

  // {"gateway":"127.0.0.1:8090","registry":"127.0.0.1:8091",...}, written whole or not at all.
  absl::Status WritePortsFile() {
    if (config_.ports_file.empty()) return absl::OkStatus();
    std::string text = absl::StrCat("{\"admin\":\"", config_.rpc_host, ":", admin_->port(), "\"");
    if (gateway_ != nullptr) absl::StrAppend(&text, ",\"gateway\":\"", GatewayAddress(), "\"");
    for (size_t i = 0; i < parts_.size(); ++i) {
      absl::StrAppend(&text, ",\"", InfoOf(parts_[i].part).name, "\":\"", config_.rpc_host, ":", server_.ports()[i],
                      "\"");
    }
    std::string temporary = config_.ports_file + ".new";
    std::ofstream(temporary) << text << "}\n";
    std::error_code error;
    std::filesystem::rename(temporary, config_.ports_file, error);
    if (!error) return absl::OkStatus();
    return Error(absl::StatusCode::kUnavailable, "PORTS_FILE_FAILED",
                 absl::StrCat("cannot write ", config_.ports_file, ": ", error.message()));
  }

  const ControlConfig config_;
  SystemClock clock_;
  SteadyClock steady_;
  rpc::Peers peers_;          // calls carry the key of this process
  rpc::Peers gateway_peers_;  // calls carry the key of whoever called the gateway
  rpc::PeerCredentialDirectory directory_{
      peers_, steady_};  // of a process without the auth part; no jump keeps a verdict fresh
  Secret admin_key_;
  rpc::Role anonymous_ = rpc::Role::kNone;
  std::unique_ptr<rpc::KeyAuthenticator> authenticator_;
  std::unique_ptr<rpc::RpcAuditSink> audit_sink_;
  std::unique_ptr<backup::LogArchiver> logs_;  // null: none are archived
  std::unique_ptr<backup::PartBackupService> backups_;
  std::unique_ptr<observer::PartHealthService> conditions_;
  std::unique_ptr<PartIdentity> identity_;  // null: gRPC is plaintext
  std::vector<RunningPart> parts_;
  rpc::RpcServer server_;
  std::unique_ptr<gateway::GatewayComponent> gateway_;
  std::unique_ptr<http::HttpServer> admin_;
  std::atomic<bool> ready_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Control>> Control::Start(const ControlConfig& config) {
  auto control = std::make_unique<ControlProcess>(config);
  RETURN_IF_ERROR(control->Start());
  return control;
}

}  // namespace chartly::control
