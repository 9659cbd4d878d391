#include "control/observer/observer.h"

#include <chrono>
#include <thread>
#include <vector>

#include "common/telemetry/log.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::observer {
namespace {

v1::PartHealth HealthOf(const absl::Status& status) {
  if (status.ok()) return v1::PART_HEALTH_SERVING;
  return absl::IsFailedPrecondition(status) ? v1::PART_HEALTH_NOT_SERVING : v1::PART_HEALTH_UNREACHABLE;
}

bool IsDown(const v1::PartStatus& part) {
  return part.health() == v1::PART_HEALTH_NOT_SERVING || part.health() == v1::PART_HEALTH_UNREACHABLE;
}

// One line when a part goes down or comes back, not one a round.
void LogChanges(const std::optional<v1::SystemStatus>& before, const v1::SystemStatus& now) {
  for (int i = 0; i < now.parts_size(); ++i) {
    const v1::PartStatus& part = now.parts(i);
    bool was_down = before.has_value() && IsDown(before->parts(i));
    if (IsDown(part) == was_down) continue;
    if (was_down) {
      LogInfo("part serves again", {{"part", part.part()}});
    } else {
      LogWarn("part does not serve", {{"part", part.part()}, {"address", part.address()}, {"error", part.message()}});
    }
  }
}

}  // namespace

v1::PartStatus Observer::Ask(const PartInfo& info) const {
  v1::PartStatus part;
  part.set_part(info.name);
  part.set_plane(info.plane);
  if (info.part == Part::kGateway && !deps_.gateway_address.empty()) {
    // In this process: it is there if we are.
    part.set_address(deps_.gateway_address);
    part.set_health(v1::PART_HEALTH_SERVING);
    return part;
  }
  part.set_address(deps_.address(info.part));
  auto start = std::chrono::steady_clock::now();
  absl::Status status = deps_.probe(info.part);
  auto took = std::chrono::steady_clock::now() - start;
  part.set_latency_us(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  part.set_health(HealthOf(status));
  part.set_message(std::string(status.message()));
  return part;
}

v1::SystemStatus Observer::AskAll() const {
  std::vector<v1::PartStatus> answers(Parts().size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([this, i, &answers] { answers[i] = Ask(Parts()[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  v1::SystemStatus status;
  status.set_status("ok");
  status.set_version(kVersion);
  *status.mutable_time() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  for (v1::PartStatus& part : answers) {
    if (IsDown(part)) status.set_status("degraded");
    *status.add_parts() = std::move(part);
  }
  return status;
}

v1::SystemStatus Observer::GetStatus() {
  absl::MutexLock lock(&mu_);
  const absl::Duration age = clock_.Now() - last_time_;
  // A negative age means that the wall clock was set back; the answer may then be of any age.
  if (last_.has_value() && age >= absl::ZeroDuration() && age < kStatusAge) return *last_;
  v1::SystemStatus status = AskAll();
  LogChanges(last_, status);
  last_time_ = clock_.Now();
  last_ = status;
  return status;
}

}  // namespace chartly::observer
