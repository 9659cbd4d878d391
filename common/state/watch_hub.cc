#include "common/state/watch_hub.h"

#include <utility>

#include "absl/strings/match.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr absl::Duration kRoomWait = absl::Seconds(1);

size_t BytesOf(const StateChange& change) {
  return sizeof(StateChange) + change.entry.key.size() + change.entry.value.size();
}

}  // namespace

class WatchHub::Handle final : public StateStore::Subscription {
 public:
  Handle(std::shared_ptr<WatchHub> hub, int64_t id) : hub_(std::move(hub)), id_(id) {}
  ~Handle() override { hub_->Unsubscribe(id_); }

 private:
  std::shared_ptr<WatchHub> hub_;
  const int64_t id_;
};

std::shared_ptr<WatchHub> WatchHub::Create() {
  std::shared_ptr<WatchHub> hub(new WatchHub());
  // The thread borrows the hub: Stop joins it before the last reference can go.
  WatchHub* borrowed = hub.get();
  absl::MutexLock lock(&hub->mu_);
  hub->thread_ = std::thread([borrowed] { borrowed->Deliver(); });
  hub->thread_id_ = hub->thread_.get_id();
  return hub;
}

WatchHub::~WatchHub() { Stop(); }

void WatchHub::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
  absl::MutexLock lock(&mu_);
  watchers_.clear();
}

std::unique_ptr<StateStore::Subscription> WatchHub::Subscribe(std::string prefix, int64_t after, Callback callback) {
  absl::MutexLock lock(&mu_);
  int64_t id = ++last_id_;
  watchers_[id] = std::make_shared<Watcher>(Watcher{std::move(prefix), after, std::move(callback)});
  return std::make_unique<Handle>(shared_from_this(), id);
}

void WatchHub::Unsubscribe(int64_t id) {
  absl::MutexLock lock(&mu_);
  watchers_.erase(id);
  if (std::this_thread::get_id() == thread_id_) return;
  auto not_running = [this, id]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return running_ != id; };
  mu_.Await(absl::Condition(&not_running));
}

bool WatchHub::HasRoom() const {
  return stopped_ || (queue_.size() < kMaxQueuedChanges && queued_bytes_ < kMaxQueuedBytes);
}

absl::Status WatchHub::WaitForRoom() {
  absl::MutexLock lock(&mu_);
  if (mu_.AwaitWithTimeout(absl::Condition(this, &WatchHub::HasRoom), kRoomWait)) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "STATE_WATCHERS_BEHIND",
               "watchers of the state store are behind and its queue of changes is full; try again later");
}

bool WatchHub::IsWatched(const StateChange& change) const {
  for (const auto& [id, watcher] : watchers_) {
    if (absl::StartsWith(change.entry.key, watcher->prefix)) return true;
  }
  return false;
}

void WatchHub::Publish(const std::vector<StateChange>& changes) {
  absl::MutexLock lock(&mu_);
  if (stopped_) return;
  for (const StateChange& change : changes) {
    if (!IsWatched(change)) continue;
    queued_bytes_ += BytesOf(change);
    queue_.push_back(change);
  }
}

void WatchHub::Deliver() {
  absl::MutexLock lock(&mu_);
  while (true) {
    mu_.Await(absl::Condition(this, &WatchHub::HasWork));
    if (stopped_) return;
    StateChange change = std::move(queue_.front());
    queue_.pop_front();
    DeliverOne(change);
    queued_bytes_ -= BytesOf(change);
  }
}

// Walks by id, not by iterator: watchers come and go while a callback runs without the lock.
void WatchHub::DeliverOne(const StateChange& change) {
  for (auto it = watchers_.begin(); it != watchers_.end() && !stopped_; it = watchers_.upper_bound(running_)) {
    running_ = it->first;
    std::shared_ptr<Watcher> watcher = it->second;
    if (change.entry.revision <= watcher->after || !absl::StartsWith(change.entry.key, watcher->prefix)) continue;
    mu_.Unlock();
    watcher->callback(change);
    mu_.Lock();
  }
  running_ = 0;
}

}  // namespace chartly
