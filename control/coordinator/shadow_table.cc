#include "control/coordinator/shadow_table.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/normalize/validate.h"
#include "common/profile/fetch_difference.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::coordinator {
namespace {

constexpr int kMaxAttempts = 5;

// Reasons of a run that came to no payload, whatever text it is to try.
bool IsOfRun(absl::string_view reason) {
  for (absl::string_view prefix : {"SOURCE_", "DRONE_", "RUN_", "SPOOL_", "EGRESS_", "SECRET_"}) {
    if (absl::StartsWith(reason, prefix)) return true;
  }
  return false;
}

std::string DifferenceMessage(const std::string& field) {
  return absl::StrCat(field,
                      " differs from the revision that runs, so the text would fetch something else; only how "
                      "payloads are read and mapped can be tried over what is fetched");
}

}  // namespace

absl::Status ShadowTable::Load(const StateStore& store) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> found, store.Range(kShadowPrefix));
  for (const StateEntry& stored : found) {
    storage::v1::StoredShadow& entry = entries_[std::string(absl::StripPrefix(stored.key, kShadowPrefix))];
    if (entry.ParseFromString(stored.value)) continue;
    return Error(absl::StatusCode::kDataLoss, "STATE_CORRUPT",
                 absl::StrCat("the stored shadow ", stored.key, " cannot be read; restore the coordinator's folder"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Shadow> ShadowTable::Ask(const std::string& profile_id, const v1::ShadowProfileRequest& request,
                                            absl::string_view running, absl::Time now) {
  ASSIGN_OR_RETURN(Profile tried, ValidateProfileOrError(absl::StrCat(profile_id, ".yaml"), request.content()));
  if (tried.id != profile_id) {
    return Error(absl::StatusCode::kInvalidArgument, "SHADOW_OF_ANOTHER",
                 absl::StrCat("the text is of profile ", tried.id, ", not of ", profile_id),
                 {{"profile_id", tried.id}});
  }
  const std::string difference = FetchDifference(running, request.content());
  if (!difference.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "SHADOW_FETCH_DIFFERS", DifferenceMessage(difference),
                 {{"field", difference}});
  }
  if (entries_.size() >= kMaxShadows && entries_.count(profile_id) == 0) {
    return Error(absl::StatusCode::kResourceExhausted, "SHADOWS_TOO_MANY",
                 absl::StrCat(kMaxShadows, " profiles have a shadow; no more are taken"));
  }
  storage::v1::StoredShadow entry;
  v1::Shadow& shadow = *entry.mutable_shadow();
  shadow.set_name(absl::StrCat("shadows/", profile_id));
  shadow.set_profile_id(profile_id);
  shadow.set_state(v1::SHADOW_STATE_WAITING);
  shadow.set_revision(absl::StrCat("profiles/", profile_id, "@", tried.revision));
  shadow.set_version(tried.version);
  *shadow.mutable_create_time() = ToTimestamp(now);
  entry.set_content(request.content());
  *entry.mutable_signatures() = request.signatures();
  deleted_.erase(profile_id);
  unwritten_.insert(profile_id);
  return (entries_[profile_id] = std::move(entry)).shadow();
}

void ShadowTable::AddTo(v1::RunOrder& order, const std::string& drone_id, absl::Time now) {
  auto it = entries_.find(order.profile_id());
  if (it == entries_.end()) return;
  v1::Shadow& shadow = *it->second.mutable_shadow();
  const bool its_own = shadow.state() == v1::SHADOW_STATE_RUNNING && shadow.run_id() == order.run_id();
  if (!its_own && shadow.state() != v1::SHADOW_STATE_WAITING) return;
  if (!its_own) {
    // The profile may have got another revision since it was asked for, or the run does the one before.
    const std::string difference = FetchDifference(order.content(), it->second.content());
    if (!difference.empty()) {
      return End(it->first, v1::SHADOW_STATE_FAILED, "SHADOW_FETCH_DIFFERS", DifferenceMessage(difference), now);
    }
    shadow.set_state(v1::SHADOW_STATE_RUNNING);
    shadow.set_run_id(order.run_id());
    shadow.set_drone_id(drone_id);
    shadow.set_base_revision(order.revision());
    unwritten_.insert(it->first);
  }
  v1::ShadowOrder& tried = *order.mutable_shadow();
  tried.set_revision(shadow.revision());
  tried.set_content(it->second.content());
  *tried.mutable_signatures() = it->second.signatures();
}

bool ShadowTable::TakeProgress(const std::string& profile_id, const v1::RunProgress& progress, absl::Time now) {
  auto it = entries_.find(profile_id);
  if (it == entries_.end() || !progress.finished()) return false;
  v1::Shadow& shadow = *it->second.mutable_shadow();
  // After a crash the order may be forgotten; what was tried tells by itself which text it was.
  const bool open = shadow.state() == v1::SHADOW_STATE_RUNNING || shadow.state() == v1::SHADOW_STATE_WAITING;
  if (progress.has_shadow()) {
    if (!open || progress.shadow().revision() != shadow.revision()) return false;
    shadow.set_run_id(progress.run_id());
    *shadow.mutable_result() = progress.shadow();
    const v1::ShadowResult& result = shadow.result();
    const bool tried = result.error_reason().empty() || result.running().records() + result.shadow().records() > 0;
    if (!tried && IsOfRun(result.error_reason())) {
      shadow.set_state(v1::SHADOW_STATE_RUNNING);
      GiveUpRun(it->first, result.error(), now);
    } else {
      End(it->first, tried ? v1::SHADOW_STATE_DONE : v1::SHADOW_STATE_FAILED, result.error_reason(), result.error(),
          now);
    }
    return true;
  }
  if (shadow.state() != v1::SHADOW_STATE_RUNNING || shadow.run_id() != progress.run_id()) return false;
  GiveUpRun(it->first, "its drone told nothing of it; it may be of an earlier version", now);
  return true;
}

void ShadowTable::GiveUpRun(const std::string& profile_id, absl::string_view why, absl::Time now) {
  auto it = entries_.find(profile_id);
  if (it == entries_.end() || it->second.shadow().state() != v1::SHADOW_STATE_RUNNING) return;
  it->second.set_attempts(it->second.attempts() + 1);
  v1::Shadow& shadow = *it->second.mutable_shadow();
  if (it->second.attempts() >= kMaxAttempts) {
    return End(profile_id, v1::SHADOW_STATE_FAILED, "SHADOW_NOT_TRIED",
               absl::StrCat(kMaxAttempts, " runs ended without having tried the text; the last was ", shadow.run_id(),
                            ": ", why),
               now);
  }
  shadow.set_state(v1::SHADOW_STATE_WAITING);
  shadow.clear_result();
  unwritten_.insert(profile_id);
}

std::vector<std::pair<std::string, std::string>> ShadowTable::Running() const {
  std::vector<std::pair<std::string, std::string>> running;
  for (const auto& [id, entry] : entries_) {
    if (entry.shadow().state() == v1::SHADOW_STATE_RUNNING) running.emplace_back(id, entry.shadow().run_id());
  }
  return running;
}

void ShadowTable::End(const std::string& profile_id, v1::ShadowState state, absl::string_view reason,
                      absl::string_view message, absl::Time now) {
  storage::v1::StoredShadow& entry = entries_.find(profile_id)->second;
  v1::Shadow& shadow = *entry.mutable_shadow();
  shadow.set_state(state);
  shadow.set_reason(std::string(reason));
  shadow.set_message(std::string(message));
  *shadow.mutable_end_time() = ToTimestamp(now);
  entry.clear_content();
  entry.clear_signatures();
  unwritten_.insert(profile_id);
  Count("chartly_shadows_total", 1, state == v1::SHADOW_STATE_DONE ? "done" : "failed");
}

void ShadowTable::RemoveProfile(absl::string_view profile_id) {
  auto it = entries_.find(profile_id);
  if (it == entries_.end()) return;
  unwritten_.erase(it->first);
  deleted_.insert(it->first);
  entries_.erase(it);
}

absl::StatusOr<v1::Shadow> ShadowTable::Get(absl::string_view profile_id) const {
  const v1::Shadow* found = Find(profile_id);
  if (found != nullptr) return *found;
  return Error(absl::StatusCode::kNotFound, "SHADOW_NOT_FOUND",
               absl::StrCat("no text was tried for profile ", profile_id,
                            "; chartly profile shadow PROFILE --file FILE tries one"),
               {{"profile_id", profile_id}});
}

const v1::Shadow* ShadowTable::Find(absl::string_view profile_id) const {
  auto it = entries_.find(profile_id);
  return it == entries_.end() ? nullptr : &it->second.shadow();
}

void ShadowTable::AddTo(StateTransaction& transaction) const {
  for (const std::string& id : unwritten_) {
    transaction.puts.push_back({absl::StrCat(kShadowPrefix, id), entries_.find(id)->second.SerializeAsString()});
  }
  for (const std::string& id : deleted_) transaction.deletes.push_back(absl::StrCat(kShadowPrefix, id));
}

v1::Shadow WithoutExamples(v1::Shadow shadow) {
  if (!shadow.has_result()) return shadow;
  v1::ShadowResult& result = *shadow.mutable_result();
  for (v1::ShadowField& field : *result.mutable_fields()) field.clear_examples();
  result.clear_lost_records();
  result.clear_added_records();
  for (v1::ShadowQuarantine& quarantine : *result.mutable_quarantines()) quarantine.clear_message();
  return shadow;
}

}  // namespace chartly::coordinator
