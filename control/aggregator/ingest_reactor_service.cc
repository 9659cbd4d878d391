#include "control/aggregator/ingest_reactor_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

// How often a stream is asked again who it is.
constexpr absl::Duration kReadmitEach = absl::Seconds(5);

absl::Status Misuse(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "INGEST_MISUSED", message);
}

}  // namespace

void IngestReactor::Begin(grpc::CallbackServerContext* context) {
  context_ = context;
  admitted_at_ = absl::Now();
  absl::Status admitted = service_.guard_.Admit(context, "Ingest", caller_);
  if (!admitted.ok()) return Fail(admitted);
  committer_ = &service_.tenants_.Of(caller_).committer();
  ReadMore();
}

void IngestReactor::Fail(const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    if (failure_.ok()) failure_ = status;
    DecideFinish();
  }
  Act();
}

void IngestReactor::OnReadDone(bool ok) {
  if (!ok) {
    {
      absl::MutexLock lock(&mu_);
      reads_done_ = true;
      DecideFinish();
    }
    return Act();
  }
  bool greeted = false;
  {
    absl::MutexLock lock(&mu_);
    greeted = greeted_;
    greeted_ = true;
  }
  absl::Status status = Readmit();
  if (!status.ok()) return Fail(status);
  if (greeted && request_.has_entry()) {
    status = TakeEntry(std::move(*request_.mutable_entry()));
  } else if (!greeted && request_.has_hello()) {
    status = TakeHello(request_.hello());
  } else {
    status = Misuse("the first message must be a hello, and every later one an entry");
  }
  if (!status.ok()) Fail(status);
}

// A stream may last for weeks; a drone that was revoked meanwhile writes no more.
absl::Status IngestReactor::Readmit() {
  const absl::Time now = absl::Now();
  if (now - admitted_at_ < kReadmitEach) return absl::OkStatus();
  admitted_at_ = now;
  rpc::Caller caller;
  absl::Status status = service_.guard_.Admit(context_, "Ingest", caller);
  if (status.ok() && caller.tenant != caller_.tenant) {
    return Error(absl::StatusCode::kUnauthenticated, "TENANT_CHANGED",
                 "the drone works for another tenant now; connect again");
  }
  // While nobody can tell, the answer of before stands; the directory bounds for how long.
  return absl::IsUnavailable(status) ? absl::OkStatus() : status;
}

absl::Status IngestReactor::TakeHello(const v1::IngestHello& hello) {
  RETURN_IF_ERROR(CheckName("drone_id of the hello", hello.drone_id()));
  RETURN_IF_ERROR(CheckName("spool_id of the hello", hello.spool_id()));
  RETURN_IF_ERROR(rpc::CheckOwnDrone(caller_, hello.drone_id()));
  if (hello.epoch() < 0) return Misuse("the epoch of the hello is negative");
  spool_ = {hello.drone_id(), hello.spool_id(), hello.epoch(), 0};
  CommitRequest request;
  request.position = spool_;
  request.position->acked_seq = hello.acked_seq();
  committer_->Submit(std::move(request),
                     [self = shared_from_this()](const CommitResult& result) { self->OnWelcome(result); });
  return absl::OkStatus();
}

void IngestReactor::OnWelcome(const CommitResult& result) {
  if (!result.status.ok()) return Fail(result.status);
  {
    absl::MutexLock lock(&mu_);
    durable_seq_ = sent_seq_ = result.durable_seq;
    response_.mutable_welcome()->set_durable_seq(result.durable_seq);
    response_.mutable_welcome()->set_window_bytes(kIngestWindowBytes);
    if (!finished_) {
      writing_ = true;
      actions_.push_back([this] { StartWrite(&response_); });
    }
  }
  ReadMore();
}

absl::StatusOr<CommitRequest> IngestReactor::Prepare(v1::IngestEntry entry) const {
  CommitRequest request;
  request.position = spool_;
  request.position->seq = entry.seq();
  if (entry.seq() <= 0) return Misuse("the seq of an entry must be 1 or more");
  if (entry.has_run_end()) {
    RETURN_IF_ERROR(CheckName("run_id of a run end", entry.run_end().run_id()));
    request.run_end = std::move(*entry.mutable_run_end());
    return request;
  }
  if (!entry.has_batch()) return Misuse(absl::StrCat("entry ", entry.seq(), " is empty"));
  absl::StatusOr<PreparedBatch> batch = PrepareBatch(std::move(*entry.mutable_batch()), caller_.tenant);
  if (!batch.ok()) return Annotate(batch.status(), absl::StrCat("entry ", entry.seq()));
  if (batch->header.drone_id() != spool_.drone_id) {
    return Misuse(absl::StrCat("entry ", entry.seq(), " holds a batch of drone ", batch->header.drone_id(),
                               " but drone ", spool_.drone_id, " said hello"));
  }
  request.batches.push_back(*std::move(batch));
  return request;
}

absl::Status IngestReactor::TakeEntry(v1::IngestEntry entry) {
  ASSIGN_OR_RETURN(CommitRequest request, Prepare(std::move(entry)));
  size_t bytes = request.Size();
  {
    absl::MutexLock lock(&mu_);
    ++in_flight_;
    in_flight_bytes_ += bytes;
  }
  committer_->Submit(std::move(request), [self = shared_from_this(), bytes](const CommitResult& result) {
    self->OnCommitted(result, bytes);
  });
  ReadMore();
  return absl::OkStatus();
}

void IngestReactor::OnCommitted(const CommitResult& result, size_t bytes) {
  bool resume = false;
  {
    absl::MutexLock lock(&mu_);
    --in_flight_;
    in_flight_bytes_ -= bytes;
    if (result.status.ok()) durable_seq_ = std::max(durable_seq_, result.durable_seq);
    if (!result.status.ok() && failure_.ok()) failure_ = result.status;
    DecideWrite();
    DecideFinish();
    resume = std::exchange(paused_, false);
  }
  if (resume) return ReadMore();
  Act();
}

// Reads the next message if the window of the stream and the committer have room, else once they have.
void IngestReactor::ReadMore() {
  bool room = committer_->HasRoom([self = shared_from_this()] { self->ReadMore(); });
  {
    absl::MutexLock lock(&mu_);
    paused_ = room && in_flight_bytes_ >= kIngestWindowBytes;
    if (room && !paused_ && !finished_ && failure_.ok()) actions_.push_back([this] { StartRead(&request_); });
  }
  Act();
}

void IngestReactor::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (!ok && failure_.ok()) failure_ = absl::CancelledError("the drone has gone");
    DecideWrite();
    DecideFinish();
  }
  Act();
}

void IngestReactor::OnCancel() { Fail(absl::CancelledError("the drone has gone")); }

// One ack covers all that became durable since the one before. After a failure what is durable is still acked.
void IngestReactor::DecideWrite() {
  if (writing_ || finished_ || durable_seq_ == sent_seq_) return;
  if (absl::IsCancelled(failure_)) return;
  writing_ = true;
  sent_seq_ = durable_seq_;
  response_.Clear();
  response_.mutable_ack()->set_seq(sent_seq_);
  response_.mutable_ack()->set_checkpoint_seq(sent_seq_);
  actions_.push_back([this] { StartWrite(&response_); });
}

void IngestReactor::DecideFinish() {
  if (finished_ || writing_) return;
  bool drained = reads_done_ && in_flight_ == 0;
  if (failure_.ok() && !drained) return;
  finished_ = true;
  grpc::Status status = service_.guard_.Finish("Ingest", start_, caller_, nullptr, failure_);
  actions_.push_back([this, status] { Finish(status); });
}

void IngestReactor::Act() {
  std::shared_ptr<IngestReactor> self = shared_from_this();
  absl::MutexLock lock(&mu_);
  if (acting_) return;  // whoever is acting sees the new actions
  acting_ = true;
  while (!actions_.empty()) {
    std::function<void()> action = std::move(actions_.front());
    actions_.pop_front();
    mu_.Unlock();
    action();
    mu_.Lock();
  }
  acting_ = false;
}

void IngestReactor::OnDone() { service_.Forget(this); }

}  // namespace chartly::aggregator
