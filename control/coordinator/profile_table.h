// The profiles as the registry last told them, with what the scheduler needs. Not thread-safe: the coordinator guards
// it.
#ifndef CHARTLY_CONTROL_COORDINATOR_PROFILE_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_PROFILE_TABLE_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "chartly/v1/registry.pb.h"
#include "common/profile/profile.h"
#include "control/coordinator/scheduler.h"

namespace chartly::coordinator {

struct ProfileEntry {
  std::string id;
  std::string revision;                        // profiles/{profile}@sha256:{hash}
  std::shared_ptr<const std::string> content;  // the text of that revision
  int64_t generation = 0;
  ProfileSchedule schedule;
  std::optional<WebhookConfig> webhook;  // of a source of that type
  PlacementConfig placement;
  RolloutConfig rollout;
  absl::Duration freshness = absl::ZeroDuration();  // zero: not stated
  std::string source;  // what a drone must reach: the host, or the profile where there is none
  LimitsConfig limits;
  std::optional<PartitionConfig> partition;      // if the source has places for a part of time
  std::vector<v1::ProfileSignature> signatures;  // of that revision
};

class ProfileTable {
 public:
  // Takes over a profile unless a later generation is held. Says whether it did.
  bool Set(const v1::Profile& profile);
  void Remove(absl::string_view id);
  // Removes those that are not in `ids`; returns them.
  std::set<std::string> RetainOnly(const std::set<std::string>& ids);
  // Null if unknown.
  const ProfileEntry* Find(absl::string_view id) const;
  const std::map<std::string, ProfileEntry, std::less<>>& all() const { return profiles_; }
  // Those whose source is a webhook.
  const std::set<std::string>& webhooks() const { return webhooks_; }

 private:
  std::map<std::string, ProfileEntry, std::less<>> profiles_;
  std::set<std::string> webhooks_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_PROFILE_TABLE_H_
