#include "control/coordinator/event_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

constexpr int64_t kMaxEventsAtOnce = 256;

}  // namespace

EventLog::EventLog(absl::Time start, size_t capacity) : capacity_(capacity), last_id_(absl::ToUnixMillis(start)) {}

v1::Event& EventLog::Add(absl::Time now) {
  if (events_.size() == capacity_) events_.pop_front();
  v1::Event& event = events_.emplace_back();
  event.set_id(absl::StrCat(++last_id_));
  *event.mutable_time() = ToTimestamp(now);
  return event;
}

void EventLog::Append(v1::Run run, absl::Time now) {
  {
    absl::MutexLock lock(&mu_);
    *Add(now).mutable_run() = std::move(run);
  }
  Tell();
}

void EventLog::Append(v1::Drone drone, absl::Time now) {
  {
    absl::MutexLock lock(&mu_);
    *Add(now).mutable_drone() = std::move(drone);
  }
  Tell();
}

void EventLog::Append(v1::Rollout rollout, absl::Time now) {
  absl::MutexLock lock(&mu_);
  *Add(now).mutable_rollout() = std::move(rollout);
}

absl::StatusOr<int64_t> EventLog::Position(absl::string_view last_event_id) const {
  absl::MutexLock lock(&mu_);
  if (last_event_id.empty()) return last_id_;
  int64_t id = 0;
  if (!absl::SimpleAtoi(last_event_id, &id) || id < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "EVENT_ID_INVALID",
                 absl::StrCat("last_event_id \"", last_event_id, "\" is not the id of an event; leave it empty"));
  }
  return std::min(id, last_id_);
}

std::vector<v1::Event> EventLog::Next(int64_t& position) const {
  absl::MutexLock lock(&mu_);
  std::vector<v1::Event> events;
  int64_t oldest = last_id_ - static_cast<int64_t>(events_.size());  // the id before the oldest held
  position = std::max(position, oldest);
  int64_t count = std::min(last_id_ - position, kMaxEventsAtOnce);
  for (int64_t i = 0; i < count; ++i) events.push_back(events_[static_cast<size_t>(position - oldest + i)]);
  position += count;
  return events;
}

void EventLog::Listen(std::weak_ptr<EventListener> listener) {
  absl::MutexLock lock(&mu_);
  listeners_.push_back(std::move(listener));
}

// Without the lock, since listeners ask the log.
void EventLog::Tell() {
  std::vector<std::shared_ptr<EventListener>> listeners;
  {
    absl::MutexLock lock(&mu_);
    listeners_.erase(std::remove_if(listeners_.begin(), listeners_.end(),
                                    [](const std::weak_ptr<EventListener>& listener) { return listener.expired(); }),
                     listeners_.end());
    for (const std::weak_ptr<EventListener>& listener : listeners_) {
      if (std::shared_ptr<EventListener> there = listener.lock()) listeners.push_back(std::move(there));
    }
  }
  for (const std::shared_ptr<EventListener>& listener : listeners) listener->OnNews();
}

void EventLog::Close() {
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
  }
  Tell();
}

bool EventLog::closed() const {
  absl::MutexLock lock(&mu_);
  return closed_;
}

}  // namespace chartly::coordinator
