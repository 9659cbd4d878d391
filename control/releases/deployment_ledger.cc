#include "control/releases/deployment_ledger.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/state/retry.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/releases/promotion.h"
#include "control/releases/semver.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::releases {
namespace {

constexpr char kCollection[] = "deployments/";
constexpr char kEnvironments[] = "environments/";
constexpr char kPrefix[] = "deployment/";
constexpr size_t kMaxBuilderBytes = 256;
constexpr size_t kMaxEvidenceBytes = 1024;
constexpr size_t kMaxObjectBytes = 512;
constexpr size_t kMaxDetailBytes = 1024;

// Sixteen hex digits, so that numbers sort as keys.
std::string KeyOf(int64_t number) { return absl::StrCat(kPrefix, absl::Hex(number, absl::kZeroPad16)); }
std::string NameOf(int64_t number) { return absl::StrCat(kCollection, number); }

absl::StatusOr<int64_t> ParseName(absl::string_view name) {
  absl::string_view rest = name;
  int64_t number = 0;
  if (absl::ConsumePrefix(&rest, kCollection) && absl::SimpleAtoi(rest, &number) && number > 0 &&
      NameOf(number) == name) {
    return number;
  }
  return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
               absl::StrCat("name '", name.substr(0, kMaxShown), "' is not of the form deployments/{number}"),
               {{"field", "name"}});
}

struct Found {
  v1::Deployment deployment;
  std::string key;
  int64_t revision;
};

absl::StatusOr<Found> Find(const StateStore& store, absl::string_view name) {
  ASSIGN_OR_RETURN(int64_t number, ParseName(name));
  auto entry = store.Get(KeyOf(number));
  if (absl::IsNotFound(entry.status())) {
    return Error(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND",
                 absl::StrCat("no deployment '", name, "'; GET /api/deployments lists those there are"),
                 {{"deployment", name}});
  }
  RETURN_IF_ERROR(entry.status());
  ASSIGN_OR_RETURN(v1::Deployment deployment, DecodeDeployment(*entry));
  return Found{std::move(deployment), entry->key, entry->revision};
}

// pending, active, paused, completed: what people read.
absl::string_view StateName(v1::DeploymentState state) {
  switch (state) {
    case v1::DEPLOYMENT_STATE_PENDING:
      return "pending";
    case v1::DEPLOYMENT_STATE_ACTIVE:
      return "active";
    case v1::DEPLOYMENT_STATE_PAUSED:
      return "paused";
    case v1::DEPLOYMENT_STATE_COMPLETED:
      return "completed";
    default:
      return "unknown";
  }
}

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t least, size_t most,
                       absl::string_view reason, absl::string_view what) {
  if (text.size() >= least && text.size() <= most) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, reason,
               absl::StrCat(field, " must say in ", least, " to ", most, " bytes ", what), {{"field", field}});
}

absl::Status CheckRequest(const v1::OpenDeploymentRequest& request) {
  if (!IsSemver(request.release_version())) {
    return Error(absl::StatusCode::kInvalidArgument, "RELEASE_VERSION_INVALID",
                 absl::StrCat("release_version '", absl::string_view(request.release_version()).substr(0, kMaxShown),
                              "' is not a semantic version such as 1.4.0 or 1.4.0-rc.1"),
                 {{"field", "release_version"}});
  }
  if (request.request_id().size() > DeploymentLedger::kMaxRequestIdBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "REQUEST_ID_INVALID",
                 absl::StrCat("request_id is longer than ", DeploymentLedger::kMaxRequestIdBytes, " bytes; use a UUID"),
                 {{"field", "request_id"}});
  }
  RETURN_IF_ERROR(CheckCommit(request.commit()));
  RETURN_IF_ERROR(CheckDigest(request.image_digest()));
  RETURN_IF_ERROR(CheckText("builder", request.builder(), 0, kMaxBuilderBytes, "BUILDER_INVALID", "who built it"));
  return CheckText("rollback_reason", request.rollback_reason(), 0, DeploymentLedger::kMaxReasonBytes,
                   "ROLLBACK_REASON_REQUIRED", "why it goes back");
}

bool IsTheSame(const v1::Deployment& a, const v1::Deployment& b) {
  return a.release_version() == b.release_version() && a.environment() == b.environment() &&
         a.image_digest() == b.image_digest() && a.commit() == b.commit();
}

// --- drift ---

absl::Status CheckFinding(const v1::DriftFinding& finding) {
  RETURN_IF_ERROR(CheckText("findings.object", finding.object(), 1, kMaxObjectBytes, "DRIFT_FINDING_INVALID",
                            "what it is about: Kind/name"));
  RETURN_IF_ERROR(
      CheckText("findings.detail", finding.detail(), 0, kMaxDetailBytes, "DRIFT_FINDING_INVALID", "what differs"));
  for (absl::string_view kind : {"changed", "missing", "unmanaged", "written"}) {
    if (finding.kind() == kind) return absl::OkStatus();
  }
  return Error(absl::StatusCode::kInvalidArgument, "DRIFT_FINDING_INVALID",
               absl::StrCat("kind '", absl::string_view(finding.kind()).substr(0, kMaxShown),
                            "' is unknown; use changed, missing, unmanaged or written"),
               {{"field", "findings.kind"}});
}

void CloseDrift(v1::Environment& environment) {
  environment.clear_drift();
  environment.clear_drift_count();
  environment.clear_drift_commit();
  environment.clear_drift_time();
  environment.clear_mended_by_hand();
}

void OpenDrift(const v1::ReportDriftRequest& request, v1::Environment& environment) {
  const google::protobuf::Timestamp since =
      environment.drift_count() > 0 ? environment.drift_time() : environment.check_time();
  CloseDrift(environment);
  for (const v1::DriftFinding& finding : request.findings()) {
    if (environment.drift_size() < DeploymentLedger::kMaxFindings) *environment.add_drift() = finding;
  }
  environment.set_drift_count(request.findings_size());
  environment.set_drift_commit(request.commit());
  *environment.mutable_drift_time() = since;
}

bool SameDrift(v1::Environment a, const v1::Environment& b) {
  *a.mutable_check_time() = b.check_time();
  a.set_checked_commit(b.checked_commit());
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

// Puts what a report says into an environment and names the change; empty if the same was open before.
absl::string_view TakeReport(const v1::ReportDriftRequest& request, v1::Environment& environment) {
  if (!request.findings().empty()) {
    const v1::Environment before = environment;
    OpenDrift(request, environment);
    if (before.drift_count() == 0) return "DriftFound";
    return SameDrift(environment, before) ? "" : "DriftChanged";
  }
  if (environment.drift_count() == 0) return "";
  // What is as declared again and no other commit says so was put right by hand. Dev and staging heal by themselves.
  if (environment.name() == absl::StrCat(kEnvironments, kProd) && request.commit() == environment.drift_commit()) {
    if (environment.mended_by_hand()) return "";
    environment.set_mended_by_hand(true);
    return "DriftMendedByHand";
  }
  CloseDrift(environment);
  return "DriftClosed";
}

void Show(absl::string_view name, const v1::Environment& environment) {
  SetGauge("chartly_drift_findings", environment.drift_count(), name);
  SetGauge("chartly_drift_checked_seconds", static_cast<double>(environment.check_time().seconds()), name);
}

}  // namespace

google::protobuf::Timestamp DeploymentLedger::Now() const {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
}

absl::StatusOr<v1::Deployment> DeploymentLedger::OpenNext(v1::Deployment deployment, const std::string& request_key) {
  if (!request_key.empty()) {
    auto first = store_.Get(request_key);
    if (first.ok()) {
      ASSIGN_OR_RETURN(v1::Deployment answer, DecodeDeployment(*first));
      if (IsTheSame(answer, deployment)) return answer;
      return Error(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED",
                   absl::StrCat("request_id was used to open ", answer.name(), " (", answer.release_version(), " to ",
                                answer.environment(), "); use a new one"),
                   {{"deployment", answer.name()}});
    }
    if (!absl::IsNotFound(first.status())) return first.status();
  }
  StateTransaction transaction;
  RETURN_IF_ERROR(CheckPromotion(store_, deployment, transaction));
  ASSIGN_OR_RETURN(std::vector<StateEntry> last, store_.Range(kPrefix, "", 1, true));
  int64_t number = 1;
  if (!last.empty()) {
    ASSIGN_OR_RETURN(v1::Deployment newest, DecodeDeployment(last[0]));
    ASSIGN_OR_RETURN(number, ParseName(newest.name()));
    ++number;
  }
  deployment.set_name(NameOf(number));
  transaction.conditions.push_back({KeyOf(number), 0});
  transaction.puts.push_back({KeyOf(number), deployment.SerializeAsString()});
  if (!request_key.empty()) {
    transaction.conditions.push_back({request_key, 0});
    transaction.puts.push_back({request_key, deployment.SerializeAsString()});
  }
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  return deployment;
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Open(const v1::OpenDeploymentRequest& request,
                                                      absl::string_view actor) {
  RETURN_IF_ERROR(CheckRequest(request));
  ASSIGN_OR_RETURN(std::string environment, EnvironmentOf(request.environment()));
  v1::Deployment deployment;
  deployment.set_release_version(request.release_version());
  deployment.set_environment(environment);
  deployment.set_state(environment == kProd ? v1::DEPLOYMENT_STATE_PENDING : v1::DEPLOYMENT_STATE_ACTIVE);
  deployment.set_opened_by(std::string(actor));
  deployment.set_commit(request.commit());
  deployment.set_image_digest(request.image_digest());
  deployment.set_builder(request.builder());
  deployment.set_rollback_reason(request.rollback_reason());
  deployment.set_change(request.change());
  deployment.set_strategy(request.strategy());
  *deployment.mutable_create_time() = Now();
  *deployment.mutable_update_time() = deployment.create_time();
  const std::string request_key = request.request_id().empty() ? "" : absl::StrCat("request/", request.request_id());
  return RetryOnConflict([&] { return OpenNext(deployment, request_key); });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Get(const v1::GetDeploymentRequest& request) const {
  ASSIGN_OR_RETURN(Found found, Find(store_, request.name()));
  return std::move(found.deployment);
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Move(absl::string_view name,
                                                      const std::vector<v1::DeploymentState>& from,
                                                      v1::DeploymentState to, const Change& change) {
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Deployment> {
    ASSIGN_OR_RETURN(Found found, Find(store_, name));
    v1::Deployment& deployment = found.deployment;
    if (std::find(from.begin(), from.end(), deployment.state()) == from.end()) {
      return Error(absl::StatusCode::kFailedPrecondition, "DEPLOYMENT_STATE",
                   absl::StrCat(name, " is ", StateName(deployment.state()), "; only from ", StateName(from[0]),
                                " can it become ", StateName(to)),
                   {{"deployment", name}, {"state", StateName(deployment.state())}});
    }
    deployment.set_state(to);
    *deployment.mutable_update_time() = Now();
    StateTransaction transaction;
    if (change != nullptr) RETURN_IF_ERROR(change(deployment, transaction));
    transaction.conditions.push_back({found.key, found.revision});
    transaction.puts.push_back({found.key, deployment.SerializeAsString()});
    RETURN_IF_ERROR(store_.Commit(transaction).status());
    return deployment;
  });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Shelve(const v1::ShelveDeploymentRequest& request) {
  RETURN_IF_ERROR(CheckText("shelve_reason", request.shelve_reason(), 1, kMaxReasonBytes, "SHELVE_REASON_REQUIRED",
                            "why it is set aside"));
  return Move(request.name(), {v1::DEPLOYMENT_STATE_ACTIVE, v1::DEPLOYMENT_STATE_PENDING}, v1::DEPLOYMENT_STATE_PAUSED,
              [&](v1::Deployment& deployment, StateTransaction&) {
                deployment.set_shelve_reason(request.shelve_reason());
                return absl::OkStatus();
              });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Resume(const v1::ResumeDeploymentRequest& request) {
  return Move(request.name(), {v1::DEPLOYMENT_STATE_PAUSED}, v1::DEPLOYMENT_STATE_ACTIVE,
              [&](v1::Deployment& deployment, StateTransaction& transaction) {
                if (deployment.environment() == kProd && deployment.approved_by().empty()) {
                  deployment.set_state(v1::DEPLOYMENT_STATE_PENDING);
                }
                return ReadDestination(store_, deployment, transaction).status();
              });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Approve(const v1::ApproveDeploymentRequest& request,
                                                         absl::string_view actor) {
  return Move(request.name(), {v1::DEPLOYMENT_STATE_PENDING}, v1::DEPLOYMENT_STATE_ACTIVE,
              [&](v1::Deployment& deployment, StateTransaction& transaction) -> absl::Status {
                if (deployment.opened_by() == actor) {
                  return Error(absl::StatusCode::kPermissionDenied, "APPROVER_OPENED_IT",
                               absl::StrCat(actor, " opened ", request.name(), "; somebody else has to approve it"),
                               {{"deployment", request.name()}});
                }
                if (deployment.image_digest() != request.image_digest()) {
                  return Error(absl::StatusCode::kFailedPrecondition, "APPROVAL_OF_ANOTHER_IMAGE",
                               absl::StrCat(request.name(), " deploys ", deployment.image_digest(),
                                            "; an approval names the image that it is for"),
                               {{"field", "image_digest"}, {"image_digest", deployment.image_digest()}});
                }
                deployment.set_approved_by(std::string(actor));
                *deployment.mutable_approve_time() = deployment.update_time();
                return ReadDestination(store_, deployment, transaction).status();
              });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Conclude(const v1::ConcludeDeploymentRequest& request) {
  RETURN_IF_ERROR(CheckText("smoke_evidence", request.smoke_evidence(), 1, kMaxEvidenceBytes, "SMOKE_EVIDENCE_REQUIRED",
                            "what shows that the smoke test passed"));
  RETURN_IF_ERROR(CheckText("handed_to", request.handed_to(), 1, kMaxEvidenceBytes, "HANDOVER_REQUIRED",
                            "who looks after it from now on"));
  return Move(request.name(), {v1::DEPLOYMENT_STATE_ACTIVE}, v1::DEPLOYMENT_STATE_COMPLETED,
              [&](v1::Deployment& deployment, StateTransaction& transaction) -> absl::Status {
                ASSIGN_OR_RETURN(Place here, ReadDestination(store_, deployment, transaction));
                deployment.set_smoke_evidence(request.smoke_evidence());
                deployment.set_handed_to(request.handed_to());
                here.environment.set_deployment(deployment.name());
                here.environment.set_release_version(deployment.release_version());
                transaction.puts.push_back({here.key, here.environment.SerializeAsString()});
                transaction.puts.push_back({ConcludedKey(deployment.environment(), deployment.release_version()),
                                            deployment.SerializeAsString()});
                return absl::OkStatus();
              });
}

absl::StatusOr<v1::ListDeploymentsResponse> DeploymentLedger::List(const v1::ListDeploymentsRequest& request) const {
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, {kPrefix, request.page_size(), request.page_token(), true}));
  v1::ListDeploymentsResponse response;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(*response.add_deployments(), DecodeDeployment(entry));
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::ListEnvironmentsResponse> DeploymentLedger::ListEnvironments() const {
  v1::ListEnvironmentsResponse response;
  for (const std::string& name : Environments()) {
    ASSIGN_OR_RETURN(Place place, ReadPlace(store_, name));
    *response.add_environments() = std::move(place.environment);
  }
  return response;
}

absl::StatusOr<v1::Environment> DeploymentLedger::ReportDrift(const v1::ReportDriftRequest& request,
                                                              const DriftRecorder& record) {
  absl::string_view suffix = request.name();
  if (!absl::ConsumePrefix(&suffix, kEnvironments)) suffix = "";
  ASSIGN_OR_RETURN(const std::string name, EnvironmentOf(suffix));
  RETURN_IF_ERROR(CheckCommit(request.commit()));
  for (const v1::DriftFinding& finding : request.findings()) RETURN_IF_ERROR(CheckFinding(finding));
  std::string recorded;  // what an attempt that lost a race has told already
  auto reported = RetryOnConflict([&]() -> absl::StatusOr<v1::Environment> {
    ASSIGN_OR_RETURN(Place place, ReadPlace(store_, name));
    v1::Environment& environment = place.environment;
    environment.set_checked_commit(request.commit());
    *environment.mutable_check_time() = Now();
    const std::string change(TakeReport(request, environment));
    if (!change.empty() && change != recorded) RETURN_IF_ERROR(record(change, environment));
    recorded = change;
    StateTransaction transaction;
    transaction.conditions = {{place.key, place.revision}};
    transaction.puts = {{place.key, environment.SerializeAsString()}};
    RETURN_IF_ERROR(store_.Commit(transaction).status());
    return environment;
  });
  if (reported.ok()) Show(name, *reported);
  return reported;
}

void DeploymentLedger::ShowDrift() const {
  for (const std::string& name : Environments()) {
    auto place = ReadPlace(store_, name);
    if (place.ok()) Show(name, place->environment);
  }
}

absl::Status DeploymentLedger::Health() const { return store_.Range(kPrefix, "", 1, true).status(); }

}  // namespace chartly::releases
