#include "control/coordinator/capture_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/profile/profile.h"

namespace chartly::coordinator {
namespace {

constexpr char kBetween = '/';  // in no id

}  // namespace

void CaptureTable::Take(const std::string& drone_id, const v1::CaptureReport& report) {
  if (report.complete()) Forget(drone_id);
  for (const v1::Capture& told : report.captures()) {
    const Key key = {told.profile_id(), drone_id};
    if (told.fetches() <= 0) {
      Drop(key);
      continue;
    }
    std::set<std::string>& profiles = profiles_[drone_id];
    const bool known = profiles.count(told.profile_id()) > 0;
    if (!IsValidId(told.profile_id())) continue;
    if (!known && (profiles.size() >= kMaxOfDrone || captures_.size() >= kMaxInAll)) continue;
    profiles.insert(told.profile_id());
    v1::Capture& capture = captures_[key] = told;
    capture.set_name(absl::StrCat("drones/", drone_id, "/captures/", told.profile_id()));
    capture.set_drone_id(drone_id);
  }
}

void CaptureTable::Drop(const Key& key) {
  captures_.erase(key);
  auto drone = profiles_.find(key.second);
  if (drone == profiles_.end()) return;
  drone->second.erase(key.first);
  if (drone->second.empty()) profiles_.erase(drone);
}

void CaptureTable::Forget(const std::string& drone_id) {
  auto drone = profiles_.find(drone_id);
  if (drone == profiles_.end()) return;
  for (const std::string& profile_id : drone->second) captures_.erase({profile_id, drone_id});
  profiles_.erase(drone);
}

std::string CaptureTable::TokenOf(const v1::Capture& capture) {
  return absl::StrCat(capture.profile_id(), std::string(1, kBetween), capture.drone_id());
}

std::vector<v1::Capture> CaptureTable::List(absl::string_view after, size_t limit, absl::string_view profile_id,
                                            const rpc::ProjectScope& projects) const {
  std::vector<v1::Capture> found;
  Key begin = absl::StrSplit(after, absl::MaxSplits(kBetween, 1));
  if (begin.first < profile_id) begin = {std::string(profile_id), ""};
  for (auto it = captures_.upper_bound(begin); it != captures_.end() && found.size() < limit; ++it) {
    if (!profile_id.empty() && it->first.first != profile_id) break;
    if (projects.Includes(it->first.first)) found.push_back(it->second);
  }
  return found;
}

}  // namespace chartly::coordinator
