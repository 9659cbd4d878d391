#include "control/coordinator/profile_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/profile/partition.h"
#include "common/profile/profile_parser.h"
#include "common/profile/source_url.h"

namespace chartly::coordinator {
namespace {

ProfileEntry MakeEntry(const v1::Profile& profile) {
  ProfileEntry entry;
  entry.id = profile.id();
  entry.revision = absl::StrCat("profiles/", profile.id(), "@", profile.revision());
  entry.content = std::make_shared<const std::string>(profile.content());
  entry.generation = profile.generation();
  entry.schedule.enabled = profile.enabled();
  entry.schedule.paused = profile.paused();
  entry.schedule.interval = FromDuration(profile.interval());
  entry.schedule.jitter = FromDuration(profile.jitter());
  // The registry took the text, so it parses; should it not, the defaults of a profile hold.
  ProfileParseResult parsed = ParseProfile(profile.content());
  const Profile text = parsed.ok() ? std::move(parsed.profile) : Profile{};
  const RetryConfig& retry = text.retry;
  entry.schedule.overlap = text.schedule.overlap;
  entry.schedule.catch_up = text.schedule.catch_up;
  if (profile.has_update_time()) entry.schedule.since = FromTimestamp(profile.update_time());
  if (!text.schedule.cron.empty()) {
    absl::StatusOr<CronSchedule> cron = CronSchedule::Parse(text.schedule.cron, text.schedule.timezone);
    // Without its zone a line has no times; the profile then waits for a host that knows it.
    if (cron.ok()) entry.schedule.cron = std::make_shared<const CronSchedule>(*std::move(cron));
    if (!cron.ok()) entry.schedule.enabled = false;
  }
  entry.placement = text.placement;
  entry.rollout = text.rollout;
  entry.freshness = text.freshness;
  if (!CheckUrl(text.source.url, entry.source).empty()) entry.source = absl::StrCat("profiles/", profile.id());
  entry.schedule.max_attempts = retry.max_attempts;
  entry.schedule.backoff = retry.backoff;
  entry.schedule.retry_budget = retry.budget;
  if (UsesPartition(text.source)) entry.partition = text.source.partition;
  entry.limits = text.limits;
  entry.signatures.assign(profile.signatures().begin(), profile.signatures().end());
  if (text.source.type == SourceType::kWebhook) entry.webhook = text.source.webhook;
  return entry;
}

}  // namespace

bool ProfileTable::Set(const v1::Profile& profile) {
  const ProfileEntry* held = Find(profile.id());
  if (held != nullptr && held->generation > profile.generation()) return false;
  ProfileEntry& entry = profiles_[profile.id()] = MakeEntry(profile);
  if (entry.webhook) {
    webhooks_.insert(entry.id);
  } else {
    webhooks_.erase(entry.id);
  }
  return true;
}

void ProfileTable::Remove(absl::string_view id) {
  profiles_.erase(std::string(id));
  webhooks_.erase(std::string(id));
}

std::set<std::string> ProfileTable::RetainOnly(const std::set<std::string>& ids) {
  std::set<std::string> removed;
  for (auto it = profiles_.begin(); it != profiles_.end();) {
    if (ids.count(it->first) > 0) {
      ++it;
      continue;
    }
    removed.insert(it->first);
    webhooks_.erase(it->first);
    it = profiles_.erase(it);
  }
  return removed;
}

const ProfileEntry* ProfileTable::Find(absl::string_view id) const {
  auto it = profiles_.find(std::string(id));
  return it == profiles_.end() ? nullptr : &it->second;
}

}  // namespace chartly::coordinator
