#include "control/coordinator/attend_reactor_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

// How often a stream is asked again who it is.
constexpr absl::Duration kReadmitEach = absl::Seconds(5);

absl::Status OtherTenant() {
  return Error(absl::StatusCode::kUnauthenticated, "TENANT_CHANGED",
               "the drone works for another tenant now; connect again");
}

}  // namespace

AttendReactor::AttendReactor(const rpc::Guard& guard, const rpc::Tenants<CoordinatorTenant>& tenants)
    : guard_(guard), tenants_(tenants), start_(absl::Now()), admitted_at_(SteadyNow()) {}

void AttendReactor::Begin(grpc::CallbackServerContext& context) {
  self_ = shared_from_this();
  context_ = &context;
  absl::Status admitted = guard_.Admit(&context, "Attend", caller_);
  if (!admitted.ok()) return End(admitted);
  speaker_ = caller_;
  intake_ = &tenants_.Of(caller_).intake;
  intake_->Join(self_);
  {
    absl::MutexLock lock(&mu_);
    DecideRead();
  }
  Act();
}

// A drone that was revoked meanwhile tells nothing more.
absl::Status AttendReactor::Readmit() {
  const absl::Time now = SteadyNow();
  if (now - admitted_at_ < kReadmitEach) return absl::OkStatus();
  admitted_at_ = now;
  rpc::Caller caller;
  absl::Status status = guard_.Admit(context_, "Attend", caller);
  // While nobody can tell, the answer of before stands; the directory bounds for how long.
  if (absl::IsUnavailable(status)) return absl::OkStatus();
  if (status.ok() && caller.tenant != caller_.tenant) return OtherTenant();
  if (status.ok()) speaker_ = std::move(caller);
  return status;
}

absl::Status AttendReactor::Check() {
  RETURN_IF_ERROR(Readmit());
  RETURN_IF_ERROR(rpc::CheckOwnDrone(speaker_, request_.drone_id()));
  if (request_.ByteSizeLong() <= kMaxBeatBytes) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "BEAT_TOO_LARGE",
               absl::StrCat("a beat has at most ", kMaxBeatBytes, " bytes"));
}

void AttendReactor::OnReadDone(bool ok) {
  if (!ok) return intake_->Close(shared_from_this());
  absl::Status status = Check();
  if (!status.ok()) return End(status);
  v1::HeartbeatRequest beat = std::move(request_);
  request_.Clear();
  {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    unheard_bytes_ += beat.ByteSizeLong();
    DecideRead();
  }
  intake_->Beat(shared_from_this(), std::move(beat));
  Act();
}

void AttendReactor::OnHeard(size_t bytes) {
  {
    absl::MutexLock lock(&mu_);
    unheard_bytes_ -= bytes;
    DecideRead();
  }
  Act();
}

void AttendReactor::Send(v1::HeartbeatResponse answer) {
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return;
    answer_ = std::move(answer);
    writing_ = write_due_ = true;
  }
  Act();
}

void AttendReactor::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    answer_.Clear();
    if (ended_) {
      finish_due_ = true;
    } else if (!ok) {
      DecideEnd(absl::CancelledError("the drone has gone"));
    }
  }
  intake_->OnSent(shared_from_this());
  Act();
}

void AttendReactor::OnCancel() { End(absl::CancelledError("the drone has gone")); }

void AttendReactor::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    DecideEnd(status);
  }
  Act();
}

void AttendReactor::DecideRead() {
  if (reading_ || ended_ || unheard_bytes_ >= kAttendWindowBytes) return;
  reading_ = read_due_ = true;
}

void AttendReactor::DecideEnd(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  end_ = status;
  finish_due_ = !writing_;
}

void AttendReactor::Act() {
  std::shared_ptr<AttendReactor> alive = shared_from_this();
  absl::MutexLock lock(&mu_);
  if (acting_) return;  // whoever is acting sees what is new
  acting_ = true;
  while (read_due_ || write_due_ || finish_due_) {
    const bool read = std::exchange(read_due_, false);
    const bool write = !read && std::exchange(write_due_, false);
    const bool finish = !read && !write && std::exchange(finish_due_, false);
    const absl::Status end = end_;
    mu_.Unlock();
    if (read) StartRead(&request_);
    if (write) StartWrite(&answer_);
    if (finish) Finish(guard_.Finish("Attend", start_, caller_, nullptr, end));
    mu_.Lock();
  }
  acting_ = false;
}

void AttendReactor::OnDone() {
  std::shared_ptr<AttendReactor> last = std::move(self_);
  if (intake_ != nullptr) intake_->Leave(last);
}

}  // namespace chartly::coordinator
