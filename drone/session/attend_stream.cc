#include "drone/session/attend_stream.h"

#include <utility>

#include "common/rpc/grpc_status.h"

namespace chartly::drone {

AttendStream::AttendStream(v1::CoordinatorService::Stub& stub, std::function<void()> on_news)
    : on_news_(std::move(on_news)), call_(stub.Attend(&context_)), reader_([this] { ReadLoop(); }) {}

AttendStream::~AttendStream() {
  Cancel();
  Join();
}

void AttendStream::Join() {
  if (reader_.joinable()) reader_.join();
}

bool AttendStream::Send(const v1::HeartbeatRequest& beat) { return call_->Write(beat); }

std::optional<v1::HeartbeatResponse> AttendStream::Take() {
  absl::MutexLock lock(&mu_);
  return std::exchange(answer_, std::nullopt);
}

bool AttendStream::closed() const {
  absl::MutexLock lock(&mu_);
  return closed_ && !answer_;
}

void AttendStream::Cancel() {
  {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
  }
  context_.TryCancel();
}

absl::Status AttendStream::Finish(const absl::Status& why) {
  // A stream that ended by itself gives the coordinator's reason, which cancelling would overwrite.
  bool over;
  {
    absl::MutexLock lock(&mu_);
    over = closed_;
  }
  if (!over) Cancel();
  Join();
  grpc::Status end = call_->Finish();
  bool echo = end.ok() || end.error_code() == grpc::StatusCode::CANCELLED;
  return echo ? why : rpc::FromGrpcStatus(end);
}

void AttendStream::ReadLoop() {
  v1::HeartbeatResponse answer;
  auto room = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !answer_ || cancelled_; };
  while (call_->Read(&answer)) {
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&room));
      if (cancelled_) break;
      answer_ = std::move(answer);
    }
    on_news_();
  }
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
  }
  on_news_();
}

}  // namespace chartly::drone
