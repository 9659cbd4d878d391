#include "control/coordinator/event_watch_service.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::coordinator {

EventWatch::EventWatch(const rpc::Guard& guard, const rpc::Tenants<CoordinatorTenant>& tenants)
    : guard_(guard), tenants_(tenants), start_(absl::Now()) {}

EventWatch::~EventWatch() {
  if (tenant_ != nullptr) --tenant_->watchers;
}

absl::Status EventWatch::Admit(const grpc::CallbackServerContext& context, const v1::WatchEventsRequest& request) {
  RETURN_IF_ERROR(guard_.Admit(&context, "WatchEvents", caller_));
  tenant_ = &tenants_.Of(caller_);
  const int watchers = ++tenant_->watchers;
  ASSIGN_OR_RETURN(int64_t position, events().Position(request.last_event_id()));
  if (watchers > kMaxWatchers) {
    return Error(absl::StatusCode::kResourceExhausted, "WATCHERS_TOO_MANY",
                 absl::StrCat(kMaxWatchers, " streams of events are open; close some"));
  }
  absl::MutexLock lock(&mu_);
  position_ = position;
  return absl::OkStatus();
}

void EventWatch::Begin(grpc::CallbackServerContext& context, const v1::WatchEventsRequest& request) {
  self_ = shared_from_this();
  context_ = &context;
  absl::Status status = Admit(context, request);
  if (!status.ok()) return End(status);
  events().Listen(self_);
  ReadmitAfter(kReadmitEach);
  StartSendInitialMetadata();  // the caller knows that from now on nothing is missed
}

void EventWatch::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    busy_ = false;
    if (!ok) gone_ = true;
  }
  Send();
}

void EventWatch::OnCancel() {
  {
    absl::MutexLock lock(&mu_);
    gone_ = true;
  }
  Send();
}

// Drones are of the whole tenant.
bool EventWatch::IsTold(const v1::Event& event) const {
  if (!caller_.projects.bound()) return true;
  switch (event.subject_case()) {
    case v1::Event::kRun:
      return caller_.projects.Includes(event.run().profile_id());
    case v1::Event::kRollout:
      return caller_.projects.Includes(event.rollout().profile_id());
    default:
      return false;
  }
}

void EventWatch::Send() {
  enum { kNothing, kWrite, kEnd } next = kNothing;
  absl::Status end;
  {
    absl::MutexLock lock(&mu_);
    if (busy_ || ended_) return;
    for (bool more = true; more && waiting_.empty() && !gone_;) {
      std::vector<v1::Event> news = events().Next(position_);
      more = !news.empty();
      news.erase(std::remove_if(news.begin(), news.end(), [this](const v1::Event& event) { return !IsTold(event); }),
                 news.end());
      waiting_.assign(std::make_move_iterator(news.begin()), std::make_move_iterator(news.end()));
    }
    if (gone_) {
      next = kEnd;
    } else if (!waiting_.empty()) {
      next = kWrite;
      event_ = std::move(waiting_.front());
      waiting_.pop_front();
      busy_ = true;
    } else if (events().closed()) {
      next = kEnd;
      end =
          Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the coordinator stops; watch again after it starts");
    }
  }
  // gRPC may call back while it is being called, so it is called without the lock.
  if (next == kWrite) StartWrite(&event_);
  if (next == kEnd) End(end);
}

void EventWatch::ReadmitAfter(absl::Duration time) {
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(absl::ToChronoTime(absl::Now() + time), [weak = weak_from_this()](bool is_due) {
    std::shared_ptr<EventWatch> self = is_due ? weak.lock() : nullptr;
    if (self != nullptr) self->Readmit();
  });
}

// Taken for a write, so that the call, and its context, do not end meanwhile.
void EventWatch::Readmit() {
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return;
    if (busy_) return ReadmitAfter(absl::Seconds(1));
    busy_ = true;
  }
  rpc::Caller caller;
  const absl::Status status = guard_.Admit(context_, "WatchEvents", caller);
  // While nobody can tell, the answer of before stands; the directory bounds for how long.
  if (!status.ok() && !absl::IsUnavailable(status)) return End(status);
  if (status.ok() && (caller.tenant != caller_.tenant || caller.projects != caller_.projects)) {
    return End(Error(absl::StatusCode::kUnauthenticated, "TENANT_CHANGED",
                     "the key is of another tenant or other projects now; watch again"));
  }
  {
    absl::MutexLock lock(&mu_);
    busy_ = false;
  }
  ReadmitAfter(kReadmitEach);
  Send();
}

void EventWatch::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return;
    ended_ = true;
  }
  Finish(guard_.Finish("WatchEvents", start_, caller_, nullptr, status));
}

void EventWatch::OnDone() { std::shared_ptr<EventWatch> last = std::move(self_); }

}  // namespace chartly::coordinator
