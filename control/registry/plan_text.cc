#include "control/registry/plan_text.h"

#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/text/sha256.h"

namespace chartly::registry {
namespace {

constexpr size_t kMaxDrifts = 12;

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string ActionText(v1::PlanAction action) {
  std::string name = v1::PlanAction_Name(action);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "PLAN_ACTION_"));
}

std::string ProfileLine(const v1::PlannedProfile& profile) {
  return absl::StrCat("profile ", profile.profile_id(), " ", ActionText(profile.action()), " ",
                      OrDash(profile.from_revision()), " ", OrDash(profile.to_revision()), " ",
                      OrDash(profile.channel()), " ", OrDash(absl::StrJoin(profile.key_ids(), ",")), "\n");
}

std::string DroneLine(const v1::PlannedDrone& drone) {
  std::vector<std::string> refusals;
  for (const v1::PlannedRefusal& refusal : drone.refusals()) {
    refusals.push_back(absl::StrCat(refusal.profile_id(), ":", refusal.reason()));
  }
  return absl::StrCat("drone ", drone.drone_id(), " gained ", OrDash(absl::StrJoin(drone.gained(), ",")), " lost ",
                      OrDash(absl::StrJoin(drone.lost(), ",")), " changed ",
                      OrDash(absl::StrJoin(drone.changed(), ",")), " refused ", OrDash(absl::StrJoin(refusals, ",")),
                      "\n");
}

std::string StateText(const std::string& revision, const std::string& version) {
  return revision.empty() ? "absent" : absl::StrCat("at ", version, " (", revision.substr(0, 15), ")");
}

void DescribeProfile(const std::string& id, const v1::PlannedProfile* planned, const v1::PlannedProfile* now,
                     std::vector<std::string>& drifts) {
  if (planned == nullptr) {
    drifts.push_back(absl::StrCat("profile ", id, " is new since"));
  } else if (now == nullptr) {
    drifts.push_back(absl::StrCat("profile ", id, " is gone since"));
  } else if (planned->from_revision() != now->from_revision()) {
    drifts.push_back(absl::StrCat("profile ", id, " was ", StateText(planned->from_revision(), planned->from_version()),
                                  ", is ", StateText(now->from_revision(), now->from_version())));
  } else if (ProfileLine(*planned) != ProfileLine(*now)) {
    drifts.push_back(absl::StrCat("profile ", id, " was to be ", ActionText(planned->action()), ", would be ",
                                  ActionText(now->action()), " now"));
  }
}

}  // namespace

std::string CanonicalPlan(const v1::PlanProfilesRequest& request, const v1::ProfilePlan& plan) {
  std::string text = "chartly-plan-v1\n";
  absl::StrAppend(&text, "channel ", OrDash(request.channel()), "\n");
  absl::StrAppend(&text, "prune ", request.prune() ? "yes" : "no", "\n");
  absl::StrAppend(&text, "origin ", OrDash(request.origin().commit()),
                  request.origin().modified() ? " modified" : " clean", "\n");
  for (const v1::PlannedProfile& profile : plan.profiles()) absl::StrAppend(&text, ProfileLine(profile));
  if (request.without_drones() || !plan.drones_unknown().empty()) {
    absl::StrAppend(&text, "drones ", request.without_drones() ? "not-asked" : "unknown", "\n");
  }
  for (const v1::PlannedDrone& drone : plan.drones()) absl::StrAppend(&text, DroneLine(drone));
  return text;
}

std::string PlanHash(const v1::PlanProfilesRequest& request, const v1::ProfilePlan& plan) {
  return Sha256Hex(CanonicalPlan(request, plan));
}

std::string DriftText(const v1::ProfilePlan& planned, const v1::ProfilePlan& now) {
  std::vector<std::string> drifts;
  std::map<std::string, std::pair<const v1::PlannedProfile*, const v1::PlannedProfile*>> profiles;
  for (const v1::PlannedProfile& profile : planned.profiles()) profiles[profile.profile_id()].first = &profile;
  for (const v1::PlannedProfile& profile : now.profiles()) profiles[profile.profile_id()].second = &profile;
  for (const auto& [id, sides] : profiles) DescribeProfile(id, sides.first, sides.second, drifts);
  std::map<std::string, std::pair<std::string, std::string>> drones;
  for (const v1::PlannedDrone& drone : planned.drones()) drones[drone.drone_id()].first = DroneLine(drone);
  for (const v1::PlannedDrone& drone : now.drones()) drones[drone.drone_id()].second = DroneLine(drone);
  for (const auto& [id, sides] : drones) {
    if (sides.first != sides.second) drifts.push_back(absl::StrCat("what drone ", id, " gains, loses or refuses"));
  }
  if (planned.drones_unknown().empty() != now.drones_unknown().empty()) {
    drifts.push_back(now.drones_unknown().empty() ? "drones are known now" : "drones are not known now");
  }
  if (drifts.size() > kMaxDrifts) {
    size_t more = drifts.size() - kMaxDrifts;
    drifts.resize(kMaxDrifts);
    drifts.push_back(absl::StrCat(more, " more"));
  }
  return absl::StrJoin(drifts, "; ");
}

}  // namespace chartly::registry
