#include "control/aggregator/sealer.h"

#include <sys/resource.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::aggregator {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(200);
constexpr absl::Duration kAfterFailure = absl::Seconds(5);
// Ingest and questions go before merges. Not before sealing, for which commits may have to wait.
constexpr int kMergeNice = 10;

}  // namespace

Sealer::Sealer(RecordStore& store, Committer& committer, const SealerOptions& options)
    : store_(store),
      committer_(committer),
      options_(options),
      merge_(
          store, options.merge, [this] { return stopping(); }, &committer.unsealed_batches()) {}

bool Sealer::stopping() const {
  absl::MutexLock lock(&mu_);
  return stopping_;
}

void Sealer::Start() {
  committer_.ExpectSealing(options_.burst_parts * options_.merge.seal_rows, [this] { Wake(); });
  threads_.emplace_back([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    Run(true, [this] { return SealNext(); });
  });
  threads_.emplace_back([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    ::setpriority(PRIO_PROCESS, 0, kMergeNice);  // on Linux, of this thread alone
    Run(false, [this] { return MergeNext(); });
  });
}

void Sealer::Stop() {
  if (!threads_.empty()) committer_.ExpectNoWaking();
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Sealer::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
}

void Sealer::Run(bool wakes, const std::function<absl::StatusOr<bool>()>& step) {
  for (absl::Duration pause = kLookEvery;;) {
    {
      absl::MutexLock lock(&mu_);
      // What failed waits its time, however much comes in.
      const bool wakeable = wakes && pause != kAfterFailure;
      auto news = [this, wakeable]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopping_ || (wakeable && woken_); };
      mu_.AwaitWithTimeout(absl::Condition(&news), pause);
      if (stopping_) return;
      if (wakes) woken_ = false;
    }
    absl::StatusOr<bool> worked = step();
    pause = worked.ok() && *worked ? absl::ZeroDuration() : kLookEvery;
    // Aborted: something was deleted meanwhile, and the next try does without it.
    if (worked.ok() || absl::IsCancelled(worked.status()) || absl::IsAborted(worked.status())) continue;
    LogWarn("sealing records failed; it is tried again", {{"error", std::string(worked.status().message())}});
    pause = kAfterFailure;
  }
}

absl::StatusOr<bool> Sealer::SealNext() {
  std::string profile_id = Next();
  if (profile_id.empty()) return false;
  RETURN_IF_ERROR(SealOne(profile_id));
  return true;
}

absl::StatusOr<bool> Sealer::FilterNext() {
  for (const auto& [profile_id, parts] : store_.AllParts()) {
    for (const PartPtr& part : parts) {
      if (part->filter != nullptr) continue;
      ASSIGN_OR_RETURN(std::shared_ptr<const PartFilter> filter, merge_.MakeFilter(*part));
      store_.SetFilter(part->meta, std::move(filter));
      committer_.RereadParts();
      return true;
    }
  }
  return IdsNext();
}

absl::StatusOr<bool> Sealer::IdsNext() {
  for (const auto& [profile_id, parts] : store_.AllParts()) {
    for (const PartPtr& part : parts) {
      if (part->ids != nullptr || !merge_.HasRoomForIds(part->meta.rows())) continue;
      ASSIGN_OR_RETURN(std::shared_ptr<const IdFilters> ids, merge_.MakeIds(*part));
      store_.SetIds(part->meta, std::move(ids));
      committer_.RereadParts();
      return true;
    }
  }
  return false;
}

absl::StatusOr<bool> Sealer::MergeNext() {
  ASSIGN_OR_RETURN(bool worked, FilterNext());
  for (const auto& [profile_id, parts] : store_.AllParts()) {
    ASSIGN_OR_RETURN(bool merged, MergeOne(profile_id));
    worked = worked || merged;
  }
  return worked;
}

std::string Sealer::Next() {
  const Committer::Unsealed unsealed = committer_.unsealed();
  auto most = std::max_element(unsealed.rows.begin(), unsealed.rows.end(),
                               [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == unsealed.rows.end()) return "";
  const absl::Time now = SteadyNow();
  const uint64_t full = options_.merge.seal_rows;
  full_since_ = most->second < full ? absl::InfiniteFuture() : std::min(full_since_, now);
  uint64_t enough = now - full_since_ < options_.burst ? options_.burst_parts * full : full;
  if (now - unsealed.last_commit >= options_.idle_after) enough = std::min(enough, options_.idle_rows);
  if (unsealed.needs_room) enough = 1;
  return most->second < enough ? "" : most->first;
}

absl::Status Sealer::SealOne(const std::string& profile_id) {
  absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(Sealed sealed, merge_.SealBatches(profile_id));
  committer_.Adopt(sealed);
  if (sealed.rows == 0) return absl::OkStatus();
  Observe("chartly_store_merge_seconds", absl::ToDoubleSeconds(absl::Now() - start), "seal");
  Count("chartly_store_sealed_rows_total", static_cast<double>(sealed.rows), "seal");
  return absl::OkStatus();
}

absl::StatusOr<bool> Sealer::MergeOne(const std::string& profile_id) {
  ASSIGN_OR_RETURN(PartList parts, merge_.Choose(profile_id, unmergeable_));
  bool damaged = std::any_of(parts.begin(), parts.end(),
                             [this](const PartPtr& part) { return unmergeable_.count(part->meta.id()) > 0; });
  if (parts.empty() || damaged) return false;
  absl::Time start = absl::Now();
  absl::StatusOr<Sealed> merged = merge_.MergeParts(parts);
  if (absl::IsDataLoss(merged.status())) {
    for (const PartPtr& part : parts) unmergeable_.insert(part->meta.id());
  }
  RETURN_IF_ERROR(merged.status());
  committer_.Adopt(*merged);
  for (uint64_t id : merged->parts) RETURN_IF_ERROR(store_.RemovePart(id));
  Observe("chartly_store_merge_seconds", absl::ToDoubleSeconds(absl::Now() - start), "merge");
  uint64_t rows = 0;
  for (const PartPtr& part : parts) rows += part->meta.rows() - part->meta.deleted_rows();
  Count("chartly_store_sealed_rows_total", static_cast<double>(rows), "merge");
  return true;
}

absl::Status Sealer::SealNow(uint64_t min_rows) {
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(more, FilterNext());
  }
  for (;;) {
    Committer::Unsealed unsealed = committer_.unsealed();
    auto most = std::max_element(unsealed.rows.begin(), unsealed.rows.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == unsealed.rows.end() || most->second < std::max<uint64_t>(min_rows, 1)) break;
    RETURN_IF_ERROR(SealOne(most->first));
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, MergeOne(most->first));
    }
  }
  // Parts of profiles without unsealed rows may have deleted ones.
  for (const auto& [profile_id, parts] : store_.AllParts()) {
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, MergeOne(profile_id));
    }
  }
  return absl::OkStatus();
}

}  // namespace chartly::aggregator
