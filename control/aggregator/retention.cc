#include "control/aggregator/retention.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::aggregator {
namespace {

constexpr absl::Duration kFirstPass = absl::Minutes(1);
// Records go in steps of this share of the time for which they are kept, a day at most, so that parts are not written
// anew for every pass.
constexpr int kSteps = 50;

absl::Time Floor(absl::Time time, absl::Duration step) {
  return absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), step);
}

}  // namespace

void Retention::Start() {
  thread_ = std::thread([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    for (absl::Duration pause = std::min(interval_, kFirstPass); !clock_.WaitFor(pause, stop_); pause = interval_) {
      const absl::Status status = Pass();
      if (!status.ok()) LogWarn("records are kept longer than asked", {{"error", std::string(status.message())}});
    }
  });
}

void Retention::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::Status Retention::Pass() {
  ASSIGN_OR_RETURN(const auto profiles, store_.Profiles());
  absl::Status first;
  for (const auto& [profile_id, state] : profiles) {
    if (stop_.HasBeenNotified()) break;
    if (state.records() == 0 && state.quarantined() == 0) continue;
    const absl::Status expired = Annotate(Expire(profile_id), absl::StrCat("profile ", profile_id));
    if (!expired.ok() && first.ok()) first = expired;
  }
  return first;
}

absl::Status Retention::Expire(const std::string& profile_id) {
  absl::StatusOr<ProfileRevision> revision = find_revision_(profile_id);
  if (absl::IsNotFound(revision.status())) return absl::OkStatus();
  RETURN_IF_ERROR(revision.status());
  ASSIGN_OR_RETURN(const Profile profile, ParseProfileOrError(profile_id, revision->content));
  if (profile.retention == absl::InfiniteDuration()) return absl::OkStatus();
  const absl::Duration step = std::min<absl::Duration>(profile.retention / kSteps, absl::Hours(24));
  return eraser_.Expire(profile_id, Floor(clock_.Now() - profile.retention, std::max(step, absl::Seconds(1)))).status();
}

}  // namespace chartly::aggregator
