// What drones tell of the payloads that they keep (drone/capture), by profile and drone. In memory alone: a drone tells
// all of it with the first beat of each stream.
//
// Not thread-safe: the coordinator guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_CAPTURE_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_CAPTURE_TABLE_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "chartly/v1/capture.pb.h"
#include "common/rpc/project_scope.h"

namespace chartly::coordinator {

class CaptureTable {
 public:
  // Of one drone, and of all, about 300 bytes each; more are not listed.
  static constexpr size_t kMaxOfDrone = 1000;
  static constexpr size_t kMaxInAll = 100'000;

  void Take(const std::string& drone_id, const v1::CaptureReport& report);
  // Nothing is known of a drone until it tells again.
  void Forget(const std::string& drone_id);
  // Those behind `after` in order of profile and drone, as it is in a page token; of one profile unless that is empty,
  // and of profiles of these projects.
  std::vector<v1::Capture> List(absl::string_view after, size_t limit, absl::string_view profile_id,
                                const rpc::ProjectScope& projects = {}) const;
  // Of one profile, in order of drone.
  std::vector<v1::Capture> Of(absl::string_view profile_id) const { return List("", kMaxInAll, profile_id); }
  // Where a page goes on behind this one.
  static std::string TokenOf(const v1::Capture& capture);

 private:
  using Key = std::pair<std::string, std::string>;  // profile, drone
  void Drop(const Key& key);

  std::map<Key, v1::Capture> captures_;
  std::map<std::string, std::set<std::string>> profiles_;  // of each drone
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_CAPTURE_TABLE_H_
