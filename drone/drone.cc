#include "drone/drone.h"

#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock/clock.h"
#include "common/clock/steady_clock.h"
#include "common/config/parts.h"
#include "common/config/signals.h"
#include "common/crypto/key_file.h"
#include "common/http/admin.h"
#include "common/http/http_server.h"
#include "common/net/http_client.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "drone/capture/capture_store.h"
#include "drone/footprint.h"
#include "drone/identity/identity_keeper.h"
#include "drone/session/run_executor.h"
#include "drone/session/session.h"
#include "drone/spool/spool.h"
#include "drone/uplink/uplink.h"
#include "drone/witness/witness.h"
#include "drone/witness/witnessed_log.h"

namespace chartly::drone {
namespace {

constexpr absl::Duration kDrain = absl::Seconds(5);
constexpr absl::Duration kWitnessInterval = absl::Seconds(10);
constexpr int64_t kMaxGoodBytes = int64_t{64} << 20;
constexpr absl::Duration kAdminDrain = absl::Milliseconds(200);

// What is kept of profiles on disk. Trust is null if any profile may run.
struct ProfileShelf {
  std::unique_ptr<SystemClock> clock;
  KeptRevisions good;
  std::unique_ptr<ProfileTrust> trust;
  std::unique_ptr<CaptureStore> captures;  // payloads
};

v1::DroneConsent ConsentMessage(const DroneConfig& config) {
  v1::DroneConsent message;
  const Consent& consent = config.consent;
  message.set_hosts_limited(consent.hosts.has_value());
  if (consent.hosts) message.mutable_hosts()->Assign(consent.hosts->begin(), consent.hosts->end());
  message.set_paths_limited(consent.paths.has_value());
  if (consent.paths) message.mutable_paths()->Assign(consent.paths->begin(), consent.paths->end());
  if (consent.max_bytes < std::numeric_limits<int64_t>::max()) message.set_max_bytes(consent.max_bytes);
  for (const PublicKey& key : config.profile_keys) message.add_profile_key_ids(key.id());
  return message;
}

class ComposedDrone final : public Drone {
 public:
  ComposedDrone(const DroneConfig& config, const JoinedIdentity& identity, std::unique_ptr<net::HttpClient> http,
                std::unique_ptr<Spool> spool, ProfileShelf shelf)
      : config_(config),
        tls_(identity.files),
        secrets_(config.secrets_dir),
        http_(std::move(http)),
        spool_(std::move(spool)),
        shelf_(std::move(shelf)),
        executor_(config.capacity, {*spool_, *http_, clock_, config.source_dir, config.id, [this] { session_.Wake(); },
                                    &secrets_, &gate_, &tokens_, &governor_, &config_.consent, shelf_.trust.get(),
                                    &shelf_.good, &quota_, identity.tenant, &steady_, shelf_.captures.get()}),
        uplink_(UplinkOptionsOf(config), {*spool_, rpc::MakeChannel(config.aggregator, config.api_key, tls_),
                                          [this](int64_t epoch) { session_.OnFenced(epoch); }}),
        session_(SessionOptionsOf(config),
                 {rpc::MakeChannel(config.coordinator, config.api_key, tls_), *spool_, executor_,
                  [this](int64_t epoch) { uplink_.SetEpoch(epoch); }, GiveBackUnused, &quota_, shelf_.captures.get()}) {
    if (!tls_.empty()) identity_.emplace(tls_, rpc::MakeChannel(config.auth, "", tls_), clock_);
  }
  ~ComposedDrone() override { Shutdown(); }

  absl::Status Begin() {
    if (!config_.admin_listen.empty()) {
      admin_ =
          http::HttpServer::Create([deps = AdminDeps()](http::Request request, std::shared_ptr<http::Reply> reply) {
            if (http::ServeAdmin(deps, request, *reply)) return;
            reply->Send({.status = 404, .headers = {}, .body = "try /health, /ready or /metrics\n"});
          });
      RETURN_IF_ERROR(Annotate(admin_->Start(config_.admin_listen), "--admin"));
    }
    if (identity_) identity_->Start();
    if (config_.witness) RETURN_IF_ERROR(Annotate(StartWitness(), "--witness"));
    uplink_.Start();
    session_.Start();
    SetGauge("chartly_build_info", 1, kVersion);
    LogInfo("drone started", {{"drone", config_.id},
                              {"data", config_.data_dir},
                              {"coordinator", config_.coordinator},
                              {"aggregator", config_.aggregator},
                              {"admin", admin_ ? absl::StrCat("port ", admin_->port()) : "none"}});
    return absl::OkStatus();
  }

  void Shutdown() override {
    if (shut_down_) return;
    shut_down_ = true;
    // Sources before sinks: first no new rows, then what is left goes to the aggregator.
    session_.Shutdown();
    if (witness_) witness_->Shutdown();
    uplink_.Shutdown(spool_->health().ok() ? kDrain : absl::ZeroDuration());
    if (identity_) identity_->Shutdown();
    if (admin_) admin_->Shutdown(kAdminDrain);
    LogInfo("drone stopped", {{"unsent", absl::StrCat(spool_->last_seq() - spool_->acked_seq())}});
  }

  absl::Status health() const override { return spool_->health(); }
  int admin_port() const override { return admin_ ? admin_->port() : 0; }

 private:
  static UplinkOptions UplinkOptionsOf(const DroneConfig& config) {
    UplinkOptions options;
    options.drone_id = config.id;
    return options;
  }

  static SessionOptions SessionOptionsOf(const DroneConfig& config) {
    SessionOptions options;
    options.drone_id = config.id;
    options.labels = config.labels;
    options.capacity = config.capacity;
    options.version = kVersion;
    options.consent = ConsentMessage(config);
    return options;
  }

  absl::Status StartWitness() {
    std::vector<PublicKey> trusted;
    if (!config_.witness_key.empty()) {
      ASSIGN_OR_RETURN(trusted, ReadPublicKeys(config_.witness_key));
    }
    ASSIGN_OR_RETURN(WitnessedLog log, WitnessedLog::Open(absl::StrCat(config_.data_dir, "/witness"), trusted));
    witness_ = std::make_unique<Witness>(std::move(log), rpc::MakeChannel(config_.audit, config_.api_key, tls_),
                                         kWitnessInterval);
    witness_->Start();
    return absl::OkStatus();
  }

  // Healthy is what works on this host: a control plane that is away is no reason to start the drone anew.
  http::AdminDeps AdminDeps() {
    http::AdminDeps deps;
    deps.process = "chartly-drone";
    deps.version = kVersion;
    deps.health = [this] {
      return std::map<std::string, http::PartCondition>{{"spool", {std::string(spool_->health().message()), ""}}};
    };
    deps.ready = [this] { return spool_->health().ok() && session_.health().ok() && uplink_.health().ok(); };
    return deps;
  }

  const DroneConfig config_;
  const rpc::TlsFiles tls_;
  SystemClock clock_;
  const Secrets secrets_;
  SteadyClock steady_;
  FleetQuota quota_{steady_, [this] { session_.Wake(); }};
  HostGate gate_{steady_};
  TokenCache tokens_;
  Governor governor_{config_.consent.cpu, config_.consent.memory_bytes, steady_};
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<Spool> spool_;
  ProfileShelf shelf_;
  RunExecutor executor_;
  Uplink uplink_;
  Session session_;
  std::optional<IdentityKeeper> identity_;
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<http::HttpServer> admin_;
  bool shut_down_ = false;
};

// Requires: the spool is open, so that the folder is there and this process alone has it.
absl::StatusOr<ProfileShelf> OpenShelf(const DroneConfig& config) {
  ASSIGN_OR_RETURN(KeptRevisions good, KeptRevisions::Open(config.data_dir + "/good-profiles", kMaxGoodBytes));
  ProfileShelf shelf{std::make_unique<SystemClock>(), std::move(good), nullptr, nullptr};
  CaptureStoreOptions captures;
  captures.folder = config.data_dir + "/captures";
  captures.max_bytes = config.capture_bytes;
  ASSIGN_OR_RETURN(shelf.captures, CaptureStore::Open(std::move(captures), *shelf.clock));
  if (config.profile_keys.empty()) return shelf;
  ASSIGN_OR_RETURN(shelf.trust,
                   ProfileTrust::Open(config.data_dir + "/trusted-profiles", config.profile_keys, *shelf.clock));
  return shelf;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Drone>> Drone::Start(const DroneConfig& config) {
  absl::StatusOr<net::EgressPolicy> egress = net::EgressPolicy::Create(config.egress_allow, config.consent.egress);
  if (!egress.ok()) return Annotate(egress.status(), "--egress-allow");
  absl::StatusOr<std::string> authorities = net::ReadAuthorities(config.ca_file);
  if (!authorities.ok()) return Annotate(authorities.status(), "--ca-file");
  SpoolOptions options;
  options.path = absl::StrCat(config.data_dir, "/spool");
  options.drone_id = config.id;
  options.max_bytes = config.spool_bytes;
  options.on_failure = RaiseStopSignal;
  ASSIGN_OR_RETURN(std::unique_ptr<Spool> spool, Spool::Open(std::move(options)));
  JoinedIdentity identity{{}, "default"};
  if (!config.identity_dir.empty()) {
    ASSIGN_OR_RETURN(identity, FindIdentity(config.identity_dir, config.id, absl::Now()));
  }
  ASSIGN_OR_RETURN(ProfileShelf shelf, OpenShelf(config));
  auto drone = std::make_unique<ComposedDrone>(config, identity,
                                               net::MakeHttpClient(*std::move(egress), *std::move(authorities)),
                                               std::move(spool), std::move(shelf));
  RETURN_IF_ERROR(drone->Begin());
  return drone;
}

}  // namespace chartly::drone
