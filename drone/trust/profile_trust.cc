#include "drone/trust/profile_trust.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/profile/profile_parser.h"
#include "common/signing/profile_signature.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

absl::Status Refused(absl::string_view reason, const std::string& profile_id, const std::string& message) {
  return Error(absl::StatusCode::kPermissionDenied, reason,
               absl::StrCat("profile '", profile_id, "' is not run: ", message), {{"profile", profile_id}});
}

// The hash that the text has, which must be the one that it is ordered as.
absl::StatusOr<std::string> RevisionOf(const v1::RunOrder& order) {
  const std::string hash = ContentHash(order.content());
  if (order.revision() != absl::StrCat("profiles/", order.profile_id(), "@", hash)) {
    return Refused("PROFILE_ALTERED", order.profile_id(),
                   absl::StrCat("it was ordered as ", order.revision(), ", and its text is ", hash));
  }
  ProfileParseResult parsed = ParseProfile(order.content());
  if (parsed.ok() && parsed.profile.id != order.profile_id()) {
    return Refused("PROFILE_ALTERED", order.profile_id(), absl::StrCat("its text is of profile ", parsed.profile.id));
  }
  return hash;
}

// Without the others that it may know of.
storage::v1::KeptRevision Alone(storage::v1::KeptRevision revision) {
  revision.clear_good();
  revision.clear_previous();
  revision.clear_trust_time();
  return revision;
}

std::vector<storage::v1::KeptRevision> KnownOf(const absl::StatusOr<storage::v1::KeptRevision>& newest) {
  if (!newest.ok()) return {};
  return {*newest, newest->previous()};
}

bool IsWayBack(const storage::v1::KeptRevision& newest, const v1::RunOrder& order, absl::Time now) {
  return newest.previous().revision() == order.revision() && now < FromTimestamp(newest.trust_time()) + kWayBack;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProfileTrust>> ProfileTrust::Open(const std::string& folder, std::vector<PublicKey> keys,
                                                                 Clock& clock) {
  // Counters are never given up for room: there are as many as profiles that were signed.
  ASSIGN_OR_RETURN(KeptRevisions seen, KeptRevisions::Open(folder, std::numeric_limits<int64_t>::max()));
  return std::unique_ptr<ProfileTrust>(new ProfileTrust(std::move(seen), std::move(keys), clock));
}

absl::Status ProfileTrust::CheckKept(const v1::RunOrder& order) const {
  ASSIGN_OR_RETURN(std::string hash, RevisionOf(order));
  v1::ProfileSignature found;
  return VerifyProfile(keys_, order.profile_id(), hash, {order.signatures().begin(), order.signatures().end()},
                       clock_.Now(), found);
}

absl::Status ProfileTrust::Check(const v1::RunOrder& order) {
  const std::string& id = order.profile_id();
  ASSIGN_OR_RETURN(std::string hash, RevisionOf(order));
  absl::MutexLock lock(&mu_);
  absl::StatusOr<storage::v1::KeptRevision> seen = seen_.Find(id);
  if (!seen.ok() && !absl::IsNotFound(seen.status())) return seen.status();
  std::vector<v1::ProfileSignature> signatures(order.signatures().begin(), order.signatures().end());
  // What was trusted once may be ordered without its signatures.
  for (const storage::v1::KeptRevision& known : KnownOf(seen)) {
    if (known.revision() != order.revision()) continue;
    signatures.insert(signatures.end(), known.signatures().begin(), known.signatures().end());
  }
  v1::ProfileSignature found;
  RETURN_IF_ERROR(VerifyProfile(keys_, id, hash, signatures, clock_.Now(), found));
  if (seen.ok() && found.counter() <= seen->counter()) {
    if (seen->revision() == order.revision() || IsWayBack(*seen, order, clock_.Now())) return absl::OkStatus();
    return Refused("PROFILE_DOWNGRADED", id,
                   absl::StrCat("its signature has counter ", found.counter(), ", and ", seen->counter(),
                                " was trusted before; to go back to it, sign it again"));
  }
  storage::v1::KeptRevision newest;
  newest.set_profile_id(id);
  newest.set_revision(order.revision());
  newest.set_counter(found.counter());
  *newest.add_signatures() = found;
  *newest.mutable_trust_time() = ToTimestamp(clock_.Now());
  if (seen.ok() && seen->has_good() && seen->good().revision() != order.revision()) {
    *newest.mutable_good() = seen->good();
    *newest.mutable_previous() = seen->good();
  }
  return Annotate(seen_.Put(newest), absl::StrCat("keep the counter of profile '", id, "'"));
}

absl::Status ProfileTrust::RanWell(const v1::RunOrder& order) {
  absl::MutexLock lock(&mu_);
  absl::StatusOr<storage::v1::KeptRevision> seen = seen_.Find(order.profile_id());
  if (!seen.ok()) return seen.status();
  if (seen->good().revision() == order.revision()) return absl::OkStatus();
  for (const storage::v1::KeptRevision& known : KnownOf(seen)) {
    if (known.revision() != order.revision()) continue;
    *seen->mutable_good() = Alone(known);
    return Annotate(seen_.Put(*seen), absl::StrCat("keep what ran well of profile '", order.profile_id(), "'"));
  }
  return absl::OkStatus();
}

}  // namespace chartly::drone
