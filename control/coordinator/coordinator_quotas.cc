#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {

void Coordinator::AddTurns(const v1::HeartbeatRequest& request, HeardBeat& heard) {
  v1::QuotaAnswer turns;
  absl::Status given = quotas_.Answer(request.drone_id(), request.quota(), steady_.Now(), turns);
  if (!given.ok()) {
    // The drone goes on waiting and asks again; the rest of the answer is as good as ever.
    LogError("no turns are given out of quotas", {{"drone", request.drone_id()}, {"error", given.ToString()}});
    return;
  }
  turns.set_clock_us(absl::ToUnixMicros(steady_.Now()));
  turns.set_clock_epoch(steady_epoch_);
  heard.quota = std::move(turns);
}

std::vector<v1::SourceQuota> Coordinator::ListQuotas(absl::string_view after, size_t limit) const {
  absl::MutexLock lock(&mu_);
  return quotas_.List(after, limit, steady_.Now());
}

}  // namespace chartly::coordinator
