#include "control/releases/promotion.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "control/releases/semver.h"
#include "control/releases/strategy.h"

namespace chartly::releases {
namespace {

constexpr size_t kCommitDigits = 40;
constexpr size_t kDigestDigits = 64;

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

absl::Status Damaged(const StateEntry& entry) {
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of the ledger is damaged; restore the store from a backup"),
               {{"key", entry.key}});
}

// The environment that a release comes from; empty for the first.
std::string Before(absl::string_view environment) {
  const std::vector<std::string>& all = Environments();
  auto found = std::find(all.begin(), all.end(), environment);
  return found == all.begin() ? "" : *(found - 1);
}

// What a program says of an image that somebody built where no one else sees how.
bool IsDesk(absl::string_view builder) {
  return builder.empty() || builder == "local" || absl::EndsWith(builder, ":local");
}

// A version stands for one image of one commit by one builder, from when it is first opened.
absl::Status BindRelease(const StateStore& store, v1::Deployment& deployment, StateTransaction& transaction) {
  const std::string key = absl::StrCat("release/", deployment.release_version());
  auto entry = store.Get(key);
  if (!entry.ok() && !absl::IsNotFound(entry.status())) return entry.status();
  const int64_t revision = entry.ok() ? entry->revision : 0;
  v1::Deployment first;
  if (entry.ok()) {
    ASSIGN_OR_RETURN(first, DecodeDeployment(*entry));
    if (deployment.builder().empty()) deployment.set_builder(first.builder());
    const bool same_builder = first.builder().empty() || first.builder() == deployment.builder();
    if (first.image_digest() != deployment.image_digest() || first.commit() != deployment.commit() || !same_builder) {
      return Error(absl::StatusCode::kFailedPrecondition, "RELEASE_CHANGED",
                   absl::StrCat("release ", deployment.release_version(), " is ", first.image_digest(), " of commit ",
                                first.commit(), first.builder().empty() ? "" : " by ", first.builder(),
                                "; what is built anew needs a new version"),
                   {{"release_version", deployment.release_version()}, {"image_digest", first.image_digest()}});
    }
  }
  RETURN_IF_ERROR(BindChange(first.change(), deployment));
  if (entry.ok() && first.builder() == deployment.builder() && first.change() == deployment.change()) {
    return absl::OkStatus();
  }
  transaction.conditions.push_back({key, revision});
  transaction.puts.push_back({key, deployment.SerializeAsString()});
  return absl::OkStatus();
}

absl::StatusOr<bool> WasConcluded(const StateStore& store, absl::string_view environment, absl::string_view version) {
  auto entry = store.Get(ConcludedKey(environment, version));
  if (absl::IsNotFound(entry.status())) return false;
  RETURN_IF_ERROR(entry.status());
  return true;
}

bool IsOlder(const v1::Deployment& deployment, const v1::Environment& here) {
  return !here.release_version().empty() && CompareSemver(deployment.release_version(), here.release_version()) < 0;
}

absl::Status Older(const v1::Deployment& deployment, const v1::Environment& here) {
  return Error(absl::StatusCode::kFailedPrecondition, "RELEASE_OLDER",
               absl::StrCat(deployment.environment(), " runs ", here.release_version(), ", which is later than ",
                            deployment.release_version(), "; releases go forward only"),
               {{"release_version", here.release_version()}});
}

// Of a release that the environment had before. Whether it needs nothing else.
absl::Status CheckReturn(const v1::Deployment& deployment, const v1::Environment& here, bool older) {
  if (!older || !deployment.rollback_reason().empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "ROLLBACK_REASON_REQUIRED",
               absl::StrCat(deployment.environment(), " runs ", here.release_version(), "; to go back to ",
                            deployment.release_version(), ", say why in rollback_reason"),
               {{"field", "rollback_reason"}, {"release_version", here.release_version()}});
}

// Of a release that is new to the environment.
absl::Status CheckArrival(const StateStore& store, const v1::Deployment& deployment, const v1::Environment& here,
                          bool older, StateTransaction& transaction) {
  const std::string& version = deployment.release_version();
  if (!deployment.rollback_reason().empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "ROLLBACK_TO_NOTHING",
                 absl::StrCat(version, " never ran in ", deployment.environment(),
                              "; a rollback goes to what did, without a rollback_reason it is a promotion"),
                 {{"field", "rollback_reason"}});
  }
  if (older) return Older(deployment, here);
  const std::string before = Before(deployment.environment());
  if (before.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(ReadSteady(store, before, transaction).status());
  ASSIGN_OR_RETURN(const bool promoted, WasConcluded(store, before, version));
  if (promoted) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "RELEASE_NOT_PROMOTED",
               absl::StrCat(version, " has not been concluded in ", before, "; it goes there first"),
               {{"release_version", version}, {"environment", before}});
}

absl::Status CheckBuilder(const v1::Deployment& deployment) {
  if (deployment.environment() != kProd || !IsDesk(deployment.builder())) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "BUILDER_NOT_TRUSTED",
               "prod takes no image that was built on a desk; name the builder of its statement of provenance",
               {{"field", "builder"}});
}

}  // namespace

const std::vector<std::string>& Environments() {
  static const auto* environments = new std::vector<std::string>{"dev", "staging", kProd};
  return *environments;
}

absl::StatusOr<std::string> EnvironmentOf(absl::string_view text) {
  if (text == "stage") return std::string("staging");
  const std::vector<std::string>& all = Environments();
  if (std::find(all.begin(), all.end(), text) != all.end()) return std::string(text);
  return Error(absl::StatusCode::kInvalidArgument, "ENVIRONMENT_UNKNOWN",
               absl::StrCat("environment '", text.substr(0, kMaxShown), "' is unknown; use dev, staging or prod"),
               {{"field", "environment"}});
}

absl::Status CheckCommit(absl::string_view commit) {
  if (IsHex(commit, kCommitDigits)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "COMMIT_INVALID",
               absl::StrCat("commit '", commit.substr(0, kMaxShown), "' is not ", kCommitDigits, " hex digits"),
               {{"field", "commit"}});
}

absl::Status CheckDigest(absl::string_view digest) {
  absl::string_view digits = digest;
  if (absl::ConsumePrefix(&digits, "sha256:") && IsHex(digits, kDigestDigits)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "IMAGE_DIGEST_INVALID",
               absl::StrCat("image_digest '", digest.substr(0, kMaxShown), "' is not sha256: and ", kDigestDigits,
                            " hex digits"),
               {{"field", "image_digest"}});
}

absl::StatusOr<v1::Deployment> DecodeDeployment(const StateEntry& entry) {
  v1::Deployment deployment;
  if (deployment.ParseFromString(entry.value)) return deployment;
  return Damaged(entry);
}

absl::StatusOr<Place> ReadPlace(const StateStore& store, absl::string_view environment) {
  Place place{{}, absl::StrCat("environment/", environment), 0};
  place.environment.set_name(absl::StrCat("environments/", environment));
  auto entry = store.Get(place.key);
  if (absl::IsNotFound(entry.status())) return place;
  RETURN_IF_ERROR(entry.status());
  place.revision = entry->revision;
  if (!place.environment.ParseFromString(entry->value)) return Damaged(*entry);
  return place;
}

absl::StatusOr<Place> ReadSteady(const StateStore& store, absl::string_view environment,
                                 StateTransaction& transaction) {
  ASSIGN_OR_RETURN(Place place, ReadPlace(store, environment));
  const v1::Environment& found = place.environment;
  if (found.drift_count() > 0) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "DRIFT_OPEN",
        absl::StrCat(environment, " is not as commit ", found.drift_commit(), " declares it: ", found.drift(0).object(),
                     " is ", found.drift(0).kind(),
                     found.drift_count() > 1 ? absl::StrCat(" and ", found.drift_count() - 1, " more") : "",
                     found.mended_by_hand() ? ", mended by hand" : "", "; it closes when a new commit is what runs"),
        {{"environment", environment}, {"commit", found.drift_commit()}});
  }
  transaction.conditions.push_back({place.key, place.revision});
  return place;
}

absl::StatusOr<Place> ReadDestination(const StateStore& store, const v1::Deployment& deployment,
                                      StateTransaction& transaction) {
  ASSIGN_OR_RETURN(Place here, ReadSteady(store, deployment.environment(), transaction));
  if (deployment.rollback_reason().empty() && IsOlder(deployment, here.environment)) {
    return Older(deployment, here.environment);
  }
  return here;
}

std::string ConcludedKey(absl::string_view environment, absl::string_view version) {
  return absl::StrCat("concluded/", environment, "/", version);
}

absl::Status CheckPromotion(const StateStore& store, v1::Deployment& deployment, StateTransaction& transaction) {
  RETURN_IF_ERROR(BindRelease(store, deployment, transaction));
  RETURN_IF_ERROR(ChooseStrategy(deployment));
  RETURN_IF_ERROR(CheckBuilder(deployment));
  ASSIGN_OR_RETURN(const Place here, ReadSteady(store, deployment.environment(), transaction));
  deployment.set_rollback_deployment(here.environment.deployment());
  const bool older = IsOlder(deployment, here.environment);
  ASSIGN_OR_RETURN(const bool known, WasConcluded(store, deployment.environment(), deployment.release_version()));
  if (known) return CheckReturn(deployment, here.environment, older);
  return CheckArrival(store, deployment, here.environment, older, transaction);
}

}  // namespace chartly::releases
