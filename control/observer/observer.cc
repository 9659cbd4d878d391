#include "control/observer/observer.h"

#include <chrono>
#include <thread>
#include <vector>

#include "common/telemetry/log.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::observer {
namespace {

void Describe(const absl::StatusOr<v1::PartCondition>& condition, v1::PartStatus& part) {
  if (!condition.ok()) {
    const bool answers = absl::IsFailedPrecondition(condition.status());
    part.set_health(answers ? v1::PART_HEALTH_NOT_SERVING : v1::PART_HEALTH_UNREACHABLE);
    part.set_message(std::string(condition.status().message()));
  } else if (!condition->problem().empty()) {
    part.set_health(v1::PART_HEALTH_NOT_SERVING);
    part.set_message(condition->problem());
  } else {
    part.set_health(condition->amiss().empty() ? v1::PART_HEALTH_SERVING : v1::PART_HEALTH_DEGRADED);
    part.set_message(condition->amiss());
  }
}

// One line when a part goes down, begins to ail or is well again, not one a round.
void LogChanges(const std::optional<v1::SystemStatus>& before, const v1::SystemStatus& now) {
  for (int i = 0; i < now.parts_size(); ++i) {
    const v1::PartStatus& part = now.parts(i);
    if (part.health() == (before.has_value() ? before->parts(i).health() : v1::PART_HEALTH_SERVING)) continue;
    if (part.health() == v1::PART_HEALTH_SERVING) {
      LogInfo("part is well again", {{"part", part.part()}});
    } else {
      LogWarn(part.health() == v1::PART_HEALTH_DEGRADED ? "part is degraded" : "part does not serve",
              {{"part", part.part()}, {"address", part.address()}, {"error", part.message()}});
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
  const absl::StatusOr<v1::PartCondition> condition = deps_.probe(info.part);
  auto took = std::chrono::steady_clock::now() - start;
  part.set_latency_us(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  Describe(condition, part);
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
    if (part.health() != v1::PART_HEALTH_SERVING) status.set_status("degraded");
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
