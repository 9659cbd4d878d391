#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/run_outcome.h"

namespace chartly::coordinator {
namespace {

absl::Status NothingKept(const std::string& profile_id, const v1::ReplayProfileRequest& request) {
  return Error(
      absl::StatusCode::kFailedPrecondition, "CAPTURE_NOT_FOUND",
      absl::StrCat(request.drone_id().empty() ? "no drone" : absl::StrCat("drone ", request.drone_id()),
                   request.drone_id().empty() ? " tells" : " does not tell", " that it keeps payloads of profile ",
                   profile_id, request.has_since_time() ? " of that time" : "",
                   "; write capture: into the profile, and what is fetched from then on is kept"),
      {{"profile_id", profile_id}});
}

bool IsWanted(const v1::Capture& capture, const v1::ReplayProfileRequest& request) {
  if (!request.drone_id().empty() && capture.drone_id() != request.drone_id()) return false;
  return !request.has_since_time() || FromTimestamp(capture.newest_fetch_time()) >= FromTimestamp(request.since_time());
}

}  // namespace

std::vector<v1::Capture> Coordinator::ListCaptures(absl::string_view after, size_t limit, absl::string_view profile_id,
                                                   const rpc::ProjectScope& projects) const {
  absl::MutexLock lock(&mu_);
  return captures_.List(after, limit, profile_id, projects);
}

absl::Status Coordinator::CheckNoReplay(absl::string_view profile_id) const {
  for (int64_t sequence : runs_.OpenOfProfile(profile_id)) {
    const v1::Run& run = runs_.At(sequence).run;
    if (!run.has_replay()) continue;
    return Error(absl::StatusCode::kFailedPrecondition, "REPLAY_RUNNING",
                 absl::StrCat("run ", run.run_id(), " takes kept payloads of profile ", profile_id,
                              " through it already; wait for its end or cancel it"),
                 {{"run_id", run.run_id()}});
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ReplayProfileResponse> Coordinator::ReplayProfile(const std::string& profile_id,
                                                                     const v1::ReplayProfileRequest& request,
                                                                     const std::string& trigger) {
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile == nullptr) {
    return Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", absl::StrCat("there is no profile ", profile_id),
                 {{"profile_id", profile_id}});
  }
  RETURN_IF_ERROR(CheckNoReplay(profile_id));
  std::vector<v1::Capture> kept = captures_.Of(profile_id);
  auto unwanted = [&](const v1::Capture& capture) { return !IsWanted(capture, request); };
  kept.erase(std::remove_if(kept.begin(), kept.end(), unwanted), kept.end());
  if (kept.empty()) return NothingKept(profile_id, request);
  v1::ReplayProfileResponse response;
  std::vector<RunRecord*> made;
  for (const v1::Capture& capture : kept) {
    const DroneEntry* entry = drones_.Find(capture.drone_id());
    // Where a profile may lie has perhaps changed since the payloads were fetched.
    if (!MayDo(entry, profile->placement)) {
      response.add_left_out_drone_ids(capture.drone_id());
      continue;
    }
    v1::Run of;
    of.mutable_replay();
    if (request.has_since_time()) *of.mutable_replay()->mutable_since_time() = request.since_time();
    RunRecord& record = MakeRun(*profile, trigger, 1, std::move(of));
    Give(record, *entry);
    Publish(record);
    made.push_back(&record);
  }
  if (made.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "CAPTURE_UNREACHABLE",
                 absl::StrCat("payloads of profile ", profile_id, " are kept by ",
                              absl::StrJoin(response.left_out_drone_ids(), ", "),
                              ", of which none is active and may do the profile; see chartly drone list"),
                 {{"profile_id", profile_id}});
  }
  if (absl::Status written = Flush(); !written.ok()) {
    for (RunRecord* record : made) runs_.Remove(*record);
    return written;
  }
  Count("chartly_replays_total", static_cast<double>(made.size()));
  for (const RunRecord* record : made) *response.add_runs() = Describe(*record);
  return response;
}

}  // namespace chartly::coordinator
