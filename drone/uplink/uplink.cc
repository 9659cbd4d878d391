#include "drone/uplink/uplink.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "drone/uplink/ingest_stream.h"

namespace chartly::drone {

Uplink::Uplink(UplinkOptions options, UplinkDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      backoff_(options_.min_backoff),
      health_(absl::UnavailableError("not connected to the aggregator yet")) {}

Uplink::~Uplink() { Shutdown(absl::ZeroDuration()); }

void Uplink::Start() {
  deps_.spool.SetListener([this] {
    absl::MutexLock lock(&mu_);
    if (stream_ != nullptr) stream_->Wake();
  });
  thread_ = std::thread([this] { Run(); });
}

void Uplink::SetEpoch(int64_t epoch) {
  absl::MutexLock lock(&mu_);
  if (epoch == epoch_) return;
  epoch_ = epoch;
  if (stream_ != nullptr) stream_->Cancel();
  changed_.SignalAll();
}

void Uplink::Shutdown(absl::Duration drain) {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    if (stream_ != nullptr) stream_->Drain();
    changed_.SignalAll();
    mu_.AwaitWithTimeout(absl::Condition(&ended_), drain);
    stopped_ = true;
    if (stream_ != nullptr) stream_->Cancel();
    changed_.SignalAll();
  }
  thread_.join();
  deps_.spool.SetListener({});
}

absl::Status Uplink::health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

void Uplink::Run() {
  int64_t epoch = 0;
  while (AwaitEpoch(&epoch)) {
    bool progressed = false;
    absl::Status status = RunStream(epoch, &progressed);
    OnStreamEnd(epoch, status, progressed);
  }
  absl::MutexLock lock(&mu_);
  ended_ = true;
}

// Says whether there is anything left to do, once there is an epoch to do it with.
bool Uplink::AwaitEpoch(int64_t* epoch) {
  absl::MutexLock lock(&mu_);
  while (true) {
    bool all_acked = deps_.spool.acked_seq() >= deps_.spool.last_seq();
    if (stopped_ || (draining_ && all_acked)) return false;
    if (epoch_ != 0 && epoch_ != fenced_epoch_) break;
    changed_.WaitWithTimeout(&mu_, absl::Milliseconds(200));
  }
  *epoch = epoch_;
  return true;
}

absl::Status Uplink::RunStream(int64_t epoch, bool* progressed) {
  IngestStream stream(options_, deps_.spool, deps_.channel, &sent_seq_);
  {
    absl::MutexLock lock(&mu_);
    if (stopped_ || epoch != epoch_) return absl::OkStatus();
    stream_ = &stream;
    if (draining_) stream.Drain();
  }
  absl::Status status = stream.Run(epoch, [this] {
    LogInfo("connected to the aggregator");
    absl::MutexLock lock(&mu_);
    health_ = absl::OkStatus();
  });
  *progressed = stream.progressed();
  absl::MutexLock lock(&mu_);
  stream_ = nullptr;
  return status;
}

void Uplink::OnStreamEnd(int64_t epoch, const absl::Status& status, bool progressed) {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_ || epoch != epoch_) return;
    if (!status.ok()) health_ = status;
  }
  // The stream asked for another one at once; not in a tight loop, whatever its reason.
  if (status.ok()) return Wait(options_.min_backoff / 4);
  Count("chartly_uplink_reconnects_total");
  std::string reason = Reason(status);
  if (absl::IsFailedPrecondition(status) && (reason == "EPOCH_FENCED" || reason.empty())) {
    LogWarn("the aggregator refuses this epoch; registering anew", {{"epoch", absl::StrCat(epoch)}});
    {
      absl::MutexLock lock(&mu_);
      fenced_epoch_ = epoch;
    }
    if (deps_.on_fenced) deps_.on_fenced(epoch);
    return;
  }
  LogWarn("stream to the aggregator ended; connecting again", {{"error", status.ToString()}});
  // Half of it fixed and half of it random, so that drones do not come back all at once.
  if (progressed) backoff_ = options_.min_backoff;
  double share = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  Wait(backoff_ * share);
  backoff_ = std::min(backoff_ * 2, options_.max_backoff);
}

void Uplink::Wait(absl::Duration duration) {
  absl::MutexLock lock(&mu_);
  // While draining, time is short; and the beginning of it ends a wait.
  if (draining_) {
    mu_.AwaitWithTimeout(absl::Condition(&stopped_), std::min(duration, options_.min_backoff));
  } else {
    mu_.AwaitWithTimeout(absl::Condition(&draining_), duration);
  }
}

}  // namespace chartly::drone
