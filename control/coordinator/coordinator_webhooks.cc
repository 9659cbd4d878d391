#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {
namespace {

constexpr char kExpectationFailed[] = "EXPECTATION_FAILED";

}  // namespace

absl::StatusOr<WebhookConfig> Coordinator::FindWebhook(absl::string_view profile_id) const {
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile != nullptr && profile->webhook) return *profile->webhook;
  return NoWebhook(profile_id);
}

absl::Status Coordinator::NoWebhook(absl::string_view profile_id) {
  return Error(absl::StatusCode::kNotFound, "WEBHOOK_NOT_FOUND",
               absl::StrCat("there is no profile ", profile_id, " with a source of type webhook"),
               {{"profile_id", profile_id}});
}

std::optional<NextRun> Coordinator::NextOf(const ProfileEntry& profile, const ProfileHistory& history,
                                           absl::Time now) const {
  if (!profile.webhook) return NextRunOf(profile.schedule, history, now);
  if (WaitingDeliveries(profile).empty()) return std::nullopt;
  return NextWebhookRun(profile.schedule, history, now);
}

std::vector<int64_t> Coordinator::WaitingDeliveries(const ProfileEntry& profile) const {
  if (!profile.webhook) return {};
  std::set<int64_t> given;
  for (int64_t sequence : runs_.OpenOfProfile(profile.id)) {
    const std::vector<int64_t>& deliveries = runs_.At(sequence).deliveries;
    given.insert(deliveries.begin(), deliveries.end());
  }
  // More than the limits of the profile let through would cut the run off.
  size_t pages = static_cast<size_t>(std::clamp<int64_t>(profile.limits.max_pages, 1, kMaxRunDeliveries));
  return inbox_.Batch(profile.id, profile.revision, {pages, profile.limits.max_bytes}, given);
}

absl::Status Coordinator::AddDeliveries(const RunRecord& record, v1::RunOrder& order) const {
  for (int64_t sequence : record.deliveries) {
    absl::StatusOr<v1::WebhookDelivery> delivery = inbox_.Read(record.run.profile_id(), sequence);
    // The late end of an earlier run told that it is where it should be.
    if (absl::IsNotFound(delivery.status())) continue;
    RETURN_IF_ERROR(delivery.status());
    *order.add_deliveries() = *std::move(delivery);
  }
  return absl::OkStatus();
}

void Coordinator::SettleDeliveries(RunRecord& record, const v1::RunEnd& end) {
  if (record.deliveries.empty()) return;
  const v1::Run& run = record.run;
  // What falls short of what the profile expects of a run was read to its end, too.
  bool read = end.error_reason() == kExpectationFailed || (end.error_reason().empty() && !end.truncated());
  if (read && !end.cancelled() && run.balance().closed()) {
    inbox_.Drop(run.profile_id(), record.deliveries, runs_.along());
  } else if (!read && (end.truncated() || !IsRetryable(end.error_reason()))) {
    inbox_.Narrow(run.profile_id(), record.deliveries, run.revision(), runs_.along());
  }
}

}  // namespace chartly::coordinator
