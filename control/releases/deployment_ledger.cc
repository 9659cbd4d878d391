#include "control/releases/deployment_ledger.h"

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
#include "control/releases/semver.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::releases {
namespace {

constexpr char kCollection[] = "deployments/";
constexpr char kPrefix[] = "deployment/";
constexpr size_t kMaxShown = 80;  // bytes of a bad value that a message repeats

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

absl::StatusOr<v1::Deployment> Decode(const StateEntry& entry) {
  v1::Deployment deployment;
  if (deployment.ParseFromString(entry.value)) return deployment;
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of the ledger is damaged; restore the store from a backup"),
               {{"key", entry.key}});
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
  ASSIGN_OR_RETURN(v1::Deployment deployment, Decode(*entry));
  return Found{std::move(deployment), entry->key, entry->revision};
}

absl::StatusOr<std::string> EnvironmentOf(absl::string_view text) {
  if (text == "stage") return std::string("staging");
  if (text == "dev" || text == "staging" || text == "prod") return std::string(text);
  return Error(absl::StatusCode::kInvalidArgument, "ENVIRONMENT_UNKNOWN",
               absl::StrCat("environment '", text.substr(0, kMaxShown), "' is unknown; use dev, staging or prod"),
               {{"field", "environment"}});
}

// active, paused, completed: what people read.
absl::string_view StateName(v1::DeploymentState state) {
  switch (state) {
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
  return absl::OkStatus();
}

}  // namespace

google::protobuf::Timestamp DeploymentLedger::Now() const {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
}

absl::StatusOr<v1::Deployment> DeploymentLedger::OpenNext(v1::Deployment deployment, const std::string& request_key) {
  if (!request_key.empty()) {
    auto first = store_.Get(request_key);
    if (first.ok()) {
      ASSIGN_OR_RETURN(v1::Deployment answer, Decode(*first));
      if (answer.release_version() == deployment.release_version() &&
          answer.environment() == deployment.environment()) {
        return answer;
      }
      return Error(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED",
                   absl::StrCat("request_id was used to open ", answer.name(), " (", answer.release_version(), " to ",
                                answer.environment(), "); use a new one"),
                   {{"deployment", answer.name()}});
    }
    if (!absl::IsNotFound(first.status())) return first.status();
  }
  ASSIGN_OR_RETURN(std::vector<StateEntry> last, store_.Range(kPrefix, "", 1, true));
  int64_t number = 1;
  if (!last.empty()) {
    ASSIGN_OR_RETURN(v1::Deployment newest, Decode(last[0]));
    ASSIGN_OR_RETURN(number, ParseName(newest.name()));
    ++number;
  }
  deployment.set_name(NameOf(number));
  StateTransaction transaction;
  transaction.conditions = {{KeyOf(number), 0}};
  transaction.puts = {{KeyOf(number), deployment.SerializeAsString()}};
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
  deployment.set_state(v1::DEPLOYMENT_STATE_ACTIVE);
  deployment.set_opened_by(std::string(actor));
  *deployment.mutable_create_time() = Now();
  *deployment.mutable_update_time() = deployment.create_time();
  const std::string request_key = request.request_id().empty() ? "" : absl::StrCat("request/", request.request_id());
  return RetryOnConflict([&] { return OpenNext(deployment, request_key); });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Get(const v1::GetDeploymentRequest& request) const {
  ASSIGN_OR_RETURN(Found found, Find(store_, request.name()));
  return std::move(found.deployment);
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Move(absl::string_view name, v1::DeploymentState from,
                                                      v1::DeploymentState to,
                                                      const std::function<void(v1::Deployment&)>& change) {
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Deployment> {
    ASSIGN_OR_RETURN(Found found, Find(store_, name));
    v1::Deployment& deployment = found.deployment;
    if (deployment.state() != from) {
      return Error(absl::StatusCode::kFailedPrecondition, "DEPLOYMENT_STATE",
                   absl::StrCat(name, " is ", StateName(deployment.state()), "; only from ", StateName(from),
                                " can it become ", StateName(to)),
                   {{"deployment", name}, {"state", StateName(deployment.state())}});
    }
    deployment.set_state(to);
    *deployment.mutable_update_time() = Now();
    if (change != nullptr) change(deployment);
    StateTransaction transaction;
    transaction.conditions = {{found.key, found.revision}};
    transaction.puts = {{found.key, deployment.SerializeAsString()}};
    RETURN_IF_ERROR(store_.Commit(transaction).status());
    return deployment;
  });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Shelve(const v1::ShelveDeploymentRequest& request) {
  if (request.shelve_reason().empty() || request.shelve_reason().size() > kMaxReasonBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "SHELVE_REASON_REQUIRED",
                 absl::StrCat("shelve_reason must say in 1 to ", kMaxReasonBytes, " bytes why it is set aside"),
                 {{"field", "shelve_reason"}});
  }
  return Move(request.name(), v1::DEPLOYMENT_STATE_ACTIVE, v1::DEPLOYMENT_STATE_PAUSED,
              [&](v1::Deployment& deployment) { deployment.set_shelve_reason(request.shelve_reason()); });
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Resume(const v1::ResumeDeploymentRequest& request) {
  return Move(request.name(), v1::DEPLOYMENT_STATE_PAUSED, v1::DEPLOYMENT_STATE_ACTIVE);
}

absl::StatusOr<v1::Deployment> DeploymentLedger::Conclude(const v1::ConcludeDeploymentRequest& request) {
  return Move(request.name(), v1::DEPLOYMENT_STATE_ACTIVE, v1::DEPLOYMENT_STATE_COMPLETED);
}

absl::StatusOr<v1::ListDeploymentsResponse> DeploymentLedger::List(const v1::ListDeploymentsRequest& request) const {
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, {kPrefix, request.page_size(), request.page_token(), true}));
  v1::ListDeploymentsResponse response;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(*response.add_deployments(), Decode(entry));
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::Status DeploymentLedger::Health() const { return store_.Range(kPrefix, "", 1, true).status(); }

}  // namespace chartly::releases
