#include "drone/session/run_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/profile/fetch_difference.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxRemembered = 10'000;
constexpr int kMaxTriesWhenStopping = 10;

v1::RunProgress FinishedProgress(const v1::RunEnd& end) {
  v1::RunProgress progress;
  progress.set_run_id(end.run_id());
  progress.set_fetched(end.fetched());
  progress.set_spooled(end.fetched());
  progress.set_pages(end.pages());
  progress.set_finished(true);
  return progress;
}

std::optional<TimePart> PartOf(const v1::RunOrder& order) {
  if (!order.has_partition()) return std::nullopt;
  return TimePart{FromTimestamp(order.partition().start_time()), FromTimestamp(order.partition().end_time())};
}

std::optional<absl::Time> SinceOf(const v1::RunOrder& order) {
  if (!order.has_replay()) return std::nullopt;
  return order.replay().has_since_time() ? FromTimestamp(order.replay().since_time()) : absl::InfinitePast();
}

// Takes them out of the order: a run of a webhook holds each payload once.
std::vector<Delivery> TakeDeliveries(v1::RunOrder& order) {
  std::vector<Delivery> deliveries;
  for (v1::WebhookDelivery& delivery : *order.mutable_deliveries()) {
    deliveries.push_back({delivery.delivery_id(), delivery.content_type(), std::move(*delivery.mutable_body()),
                          FromTimestamp(delivery.receive_time())});
  }
  order.clear_deliveries();
  return deliveries;
}

v1::ShadowResult RefusedShadow(const v1::RunOrder& order, const absl::Status& why) {
  LogWarn("shadow refused",
          {{"profile", order.profile_id()}, {"revision", order.shadow().revision()}, {"why", why.ToString()}});
  v1::ShadowResult result;
  result.set_revision(order.shadow().revision());
  result.set_error_reason(Reason(why));
  result.set_error(std::string(why.message()));
  return result;
}

const char* StatusLabel(const v1::RunEnd& end) {
  if (end.cancelled()) return "cancelled";
  if (end.truncated()) return "partial";
  return end.error_reason().empty() ? "succeeded" : "failed";
}

void LogEnd(const v1::RunEnd& end) {
  Count("chartly_runs_total", 1, StatusLabel(end));
  LogInfo("run ended", {{"run", end.run_id()},
                        {"profile", end.profile_id()},
                        {"status", StatusLabel(end)},
                        {"fetched", absl::StrCat(end.fetched())},
                        {"pages", absl::StrCat(end.pages())},
                        {"unmodified", end.unmodified() ? "true" : "false"},
                        {"reason", end.error_reason()},
                        {"error", end.error()}});
}

}  // namespace

RunExecutor::RunExecutor(int capacity, RunExecutorDeps deps) : capacity_(capacity), deps_(std::move(deps)) {
  absl::MutexLock lock(&mu_);
  for (const v1::RunEnd& end : deps_.spool.ended_at_open()) RememberLocked(FinishedProgress(end));
  cut_off_ = deps_.spool.OpenRuns();
  for (v1::RunEnd& end : cut_off_) {
    end.set_error_reason("DRONE_RESTARTED");
    end.set_error(absl::StrCat("drone ", deps_.drone_id, " ended during the run; what was fetched until then is kept"));
    // Remembered at once, so that an order for it that is still on the way starts nothing.
    RememberLocked(FinishedProgress(end));
  }
}

RunExecutor::~RunExecutor() { Stop(); }

bool RunExecutor::Start(const v1::RunOrder& order) {
  absl::MutexLock lock(&mu_);
  if (stopping_ || active_.count(order.run_id()) > 0) return false;
  auto done = done_.find(order.run_id());
  if (done != done_.end()) {
    finished_[order.run_id()] = done->second;
    return true;
  }
  if (active_.size() >= static_cast<size_t>(capacity_)) return false;
  v1::RunEnd info;
  info.set_run_id(order.run_id());
  info.set_profile_id(order.profile_id());
  info.set_revision(order.revision());
  info.set_drone_id(deps_.drone_id);
  *info.mutable_started_at() = ToTimestamp(deps_.clock.Now());
  absl::Status begun = deps_.spool.BeginRun(info);
  if (!begun.ok()) {
    LogWarn("run not begun; waiting for its order to be repeated",
            {{"run", order.run_id()}, {"error", std::string(begun.message())}});
    return false;
  }
  LogInfo("run begun", {{"run", order.run_id()}, {"profile", order.profile_id()}});
  std::unique_ptr<Active>& run = active_[order.run_id()];
  run = std::make_unique<Active>(deps_.spool, order.run_id());
  run->thread =
      std::thread([this, active = run.get(), order = v1::RunOrder(order)]() mutable { Work(*active, order); });
  return true;
}

void RunExecutor::Cancel(const std::string& run_id) {
  absl::MutexLock lock(&mu_);
  auto found = active_.find(run_id);
  if (found == active_.end()) return;
  found->second->cancelled = true;
  StopRun(*found->second);
}

void RunExecutor::StopRun(Active& run) {
  run.sink.Cancel();
  absl::MutexLock lock(&run.mu);
  run.stop = true;
  if (run.pipeline != nullptr) run.pipeline->Cancel();
}

void RunExecutor::Work(Active& run, v1::RunOrder& order) {
  std::optional<Cursor> cursor;
  v1::RunEnd end = Execute(run, order, cursor);
  LogEnd(end);
  bool durable = AppendEnd(end, cursor ? &*cursor : nullptr);
  {
    absl::MutexLock lock(&mu_);
    // An end that could not be written is written by the next process; until then the run counts as going on.
    v1::RunProgress progress = FinishedProgress(end);
    if (run.shadow) *progress.mutable_shadow() = *std::move(run.shadow);
    if (durable) RememberLocked(std::move(progress));
    auto found = active_.find(order.run_id());
    ended_.push_back(std::move(found->second));
    active_.erase(found);
  }
  if (deps_.on_finished) deps_.on_finished();
}

PipelineDeps RunExecutor::PipelineDepsOf(Active& run, const v1::RunOrder& order) {
  PipelineDeps deps{deps_.http, deps_.clock, deps_.source_dir, run.sink};
  deps.progress = [&run](int64_t fetched, int64_t, int pages) {
    run.fetched = fetched;
    run.pages = pages;
    run.sink.SetPages(pages);
  };
  deps.secrets = deps_.secrets;
  deps.gate = deps_.gate;
  deps.tokens = deps_.tokens;
  deps.governor = deps_.governor;
  deps.quota = deps_.quota;
  deps.steady = deps_.steady;
  deps.captures = deps_.captures;
  deps.cursor = deps_.spool.CursorOf(order.profile_id()).value_or(Cursor());
  return deps;
}

// The profile of an order, held to what the owner of this host allows.
absl::StatusOr<Profile> RunExecutor::ProfileOf(const v1::RunOrder& order) const {
  if (deps_.trust != nullptr) RETURN_IF_ERROR(deps_.trust->Check(order));
  return Understand(order);
}

absl::StatusOr<Profile> RunExecutor::Understand(const v1::RunOrder& order) const {
  ASSIGN_OR_RETURN(Profile profile, ParseProfileOrError(absl::StrCat(order.profile_id(), ".yaml"), order.content()));
  if (deps_.consent == nullptr) return profile;
  RETURN_IF_ERROR(CheckConsent(*deps_.consent, profile));
  const double rate = deps_.consent->rate;
  if (rate > 0 && (profile.limits.rate == 0 || profile.limits.rate > rate)) profile.limits.rate = rate;
  return profile;
}

absl::StatusOr<Profile> RunExecutor::ShadowOf(const v1::RunOrder& order) const {
  v1::RunOrder tried;
  tried.set_profile_id(order.profile_id());
  tried.set_revision(order.shadow().revision());
  tried.set_content(order.shadow().content());
  *tried.mutable_signatures() = order.shadow().signatures();
  // Its records go to the control plane, too, so it has to be signed like any other; but it is not what runs.
  if (deps_.trust != nullptr) RETURN_IF_ERROR(deps_.trust->CheckKept(tried));
  return Understand(tried);
}

absl::StatusOr<Profile> RunExecutor::FallBack(v1::RunOrder& order, const absl::Status& why) const {
  Count("chartly_profiles_refused_total", 1, Reason(why));
  LogWarn("profile refused",
          {{"profile", order.profile_id()}, {"revision", order.revision()}, {"why", why.ToString()}});
  if (deps_.good == nullptr) return why;
  absl::StatusOr<storage::v1::KeptRevision> good = deps_.good->Find(order.profile_id());
  if (!good.ok() || good->revision() == order.revision()) return why;
  v1::RunOrder other = order;
  other.set_revision(good->revision());
  other.set_content(good->content());
  *other.mutable_signatures() = good->signatures();
  // What is kept here has to pass anew: keys and consent may have changed since. Only a revision that is trusted and
  // cannot start may be followed by an older one; a refused one never is.
  if (deps_.trust != nullptr) {
    const bool trusted = deps_.trust->Check(order).ok();
    if (!(trusted ? deps_.trust->CheckKept(other) : deps_.trust->Check(other)).ok()) return why;
  }
  absl::StatusOr<Profile> profile = Understand(other);
  if (!profile.ok()) return why;
  order = std::move(other);
  return profile;
}

void RunExecutor::KeepGood(const v1::RunOrder& order, const v1::RunEnd& end) const {
  if (end.cancelled() || !end.error_reason().empty()) return;
  if (deps_.trust != nullptr) {
    absl::Status noted = deps_.trust->RanWell(order);
    if (!noted.ok()) LogWarn("good run not noted", {{"profile", order.profile_id()}, {"error", noted.ToString()}});
  }
  if (deps_.good == nullptr) return;
  storage::v1::KeptRevision good;
  good.set_profile_id(order.profile_id());
  good.set_revision(order.revision());
  good.set_content(order.content());
  *good.mutable_signatures() = order.signatures();
  absl::StatusOr<storage::v1::KeptRevision> kept = deps_.good->Find(order.profile_id());
  if (kept.ok() && kept->SerializeAsString() == good.SerializeAsString()) return;
  absl::Status put = deps_.good->Put(good);
  if (!put.ok()) LogWarn("last good revision not kept", {{"profile", order.profile_id()}, {"error", put.ToString()}});
}

v1::RunEnd RunExecutor::Execute(Active& run, v1::RunOrder& order, std::optional<Cursor>& cursor) {
  v1::RunEnd end;
  *end.mutable_started_at() = ToTimestamp(deps_.clock.Now());
  const std::string ordered = order.revision();
  absl::StatusOr<Profile> profile = ProfileOf(order);
  const absl::Status refused = profile.status();
  // What the one before made of kept payloads is known.
  if (!profile.ok() && !order.has_replay()) profile = FallBack(order, refused);
  if (profile.ok() && order.has_replay() && deps_.captures == nullptr) {
    profile = Error(absl::StatusCode::kFailedPrecondition, "CAPTURE_NOT_FOUND", "this drone keeps no payloads");
  }
  if (profile.ok()) {
    // Whoever owns the data says with each revision whether it may lie here.
    if (deps_.captures != nullptr && !order.has_replay() && !profile->capture) deps_.captures->Forget(profile->id);
    PipelineDeps deps = PipelineDepsOf(run, order);
    std::optional<ShadowRun> shadow;
    if (order.has_shadow()) {
      absl::StatusOr<Profile> tried = ShadowOf(order);
      if (tried.ok()) shadow.emplace(*profile, *std::move(tried), deps_.governor);
      if (tried.ok()) deps.shadow = &*shadow;
      if (!tried.ok()) run.shadow = RefusedShadow(order, tried.status());
    }
    Pipeline pipeline({*std::move(profile), order.run_id(), deps_.drone_id, TakeDeliveries(order), deps_.tenant,
                       PartOf(order), SinceOf(order), SourceDigest(order.content())},
                      std::move(deps));
    {
      absl::MutexLock lock(&run.mu);
      run.pipeline = &pipeline;
      if (run.stop) pipeline.Cancel();
    }
    end = pipeline.Run();
    if (shadow) run.shadow = shadow->Finish(end.error_reason(), end.error());
    cursor = pipeline.cursor();
    if (refused.ok()) {
      if (!order.has_replay()) KeepGood(order, end);
    } else if (end.error_reason().empty() && !end.cancelled()) {
      end.set_truncated(true);  // partial: not what was asked for
      end.set_error_reason(Reason(refused));
      end.set_error(absl::StrCat("revision ", ordered, " was refused, so the last good one, ", order.revision(),
                                 ", ran in its place: ", refused.message()));
    }
    absl::MutexLock lock(&run.mu);
    run.pipeline = nullptr;
  } else {
    end.set_error_reason(Reason(profile.status()));
    end.set_error(std::string(profile.status().message()));
    *end.mutable_finished_at() = ToTimestamp(deps_.clock.Now());
  }
  end.set_run_id(order.run_id());
  end.set_profile_id(order.profile_id());
  end.set_revision(order.revision());
  end.set_drone_id(deps_.drone_id);
  if (end.cancelled() && !run.cancelled) {
    end.set_cancelled(false);
    end.set_error_reason("DRONE_STOPPED");
    end.set_error(
        absl::StrCat("drone ", deps_.drone_id, " was stopped during the run; what was fetched until then is kept"));
  }
  return end;
}

bool RunExecutor::AppendEnd(const v1::RunEnd& end, const Cursor* cursor) {
  for (int tries = 0; !stopping_ || tries < kMaxTriesWhenStopping; ++tries) {
    absl::Status appended = deps_.spool.EndRun(end, cursor).status();
    if (appended.ok()) return true;
    LogWarn("end of a run not written", {{"run", end.run_id()}, {"error", std::string(appended.message())}});
    if (!absl::IsResourceExhausted(appended)) return false;
    deps_.spool.AwaitRoom();
  }
  return false;
}

std::vector<v1::RunProgress> RunExecutor::Progress() const {
  std::vector<v1::RunProgress> all;
  absl::MutexLock lock(&mu_);
  for (const auto& [run_id, run] : active_) {
    v1::RunProgress& progress = all.emplace_back();
    progress.set_run_id(run_id);
    // Rows on disk first: they must not be more than the rows fetched.
    progress.set_spooled(run->sink.spooled());
    progress.set_fetched(std::max<int64_t>(run->fetched, progress.spooled()));
    progress.set_pages(run->pages);
  }
  for (const auto& [run_id, progress] : finished_) all.push_back(progress);
  return all;
}

void RunExecutor::Acknowledge(const std::vector<v1::RunProgress>& reported) {
  absl::MutexLock lock(&mu_);
  for (const v1::RunProgress& progress : reported) {
    if (progress.finished()) finished_.erase(progress.run_id());
  }
}

void RunExecutor::Tidy() {
  if (deps_.captures != nullptr) deps_.captures->Tidy();
  std::vector<std::unique_ptr<Active>> ended;
  std::vector<v1::RunEnd> cut_off;
  {
    absl::MutexLock lock(&mu_);
    ended.swap(ended_);
    cut_off.swap(cut_off_);
  }
  for (std::unique_ptr<Active>& run : ended) run->thread.join();
  for (v1::RunEnd& end : cut_off) {
    *end.mutable_finished_at() = ToTimestamp(deps_.clock.Now());
    absl::Status appended = deps_.spool.EndRun(end).status();
    if (appended.ok()) {
      LogEnd(end);
      continue;
    }
    LogWarn("end of a run not written", {{"run", end.run_id()}, {"error", std::string(appended.message())}});
    absl::MutexLock lock(&mu_);
    cut_off_.push_back(std::move(end));
  }
}

void RunExecutor::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    for (auto& [run_id, run] : active_) StopRun(*run);
    auto none = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return active_.empty(); };
    mu_.Await(absl::Condition(&none));
  }
  Tidy();
}

void RunExecutor::RememberLocked(v1::RunProgress progress) {
  finished_[progress.run_id()] = progress;
  progress.clear_shadow();  // told once; of the runs that are long over it would take too much
  if (done_.insert_or_assign(progress.run_id(), progress).second) done_order_.push_back(progress.run_id());
  if (done_order_.size() <= kMaxRemembered) return;
  done_.erase(done_order_.front());
  done_order_.pop_front();
}

}  // namespace chartly::drone
