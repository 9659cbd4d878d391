#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {
namespace {

// The end of a run may be known from its rows before its drone tells of it.
constexpr absl::Duration kLateWord = absl::Seconds(30);

}  // namespace

absl::StatusOr<v1::Shadow> Coordinator::AskForShadow(const std::string& profile_id,
                                                     const v1::ShadowProfileRequest& request) {
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile == nullptr) {
    return Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", absl::StrCat("there is no profile ", profile_id),
                 {{"profile_id", profile_id}});
  }
  ASSIGN_OR_RETURN(v1::Shadow shadow, shadows_.Ask(profile_id, request, *profile->content, clock_.Now()));
  RETURN_IF_ERROR(Flush());
  return shadow;
}

absl::StatusOr<v1::Shadow> Coordinator::GetShadow(absl::string_view profile_id) const {
  absl::MutexLock lock(&mu_);
  return shadows_.Get(profile_id);
}

void Coordinator::TakeShadows(const v1::HeartbeatRequest& request) {
  for (const v1::RunProgress& progress : request.runs()) {
    if (!progress.finished()) continue;
    const RunRecord* record = runs_.Find(progress.run_id());
    if (record == nullptr || record->run.drone_id() != request.drone_id()) continue;
    shadows_.TakeProgress(record->run.profile_id(), progress, clock_.Now());
  }
}

void Coordinator::FollowShadows() {
  for (const auto& [profile_id, run_id] : shadows_.Running()) {
    const RunRecord* record = runs_.Find(run_id);
    const bool over = record == nullptr || (IsFinal(record->status()) &&
                                            clock_.Now() > FromTimestamp(record->run.finished_at()) + kLateWord);
    if (over) shadows_.GiveUpRun(profile_id, "the run is over", clock_.Now());
  }
}

}  // namespace chartly::coordinator
