#include "drone/uplink/ingest_stream.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::drone {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kDefaultWindowBytes = size_t{4} << 20;
constexpr absl::Duration kTick = absl::Milliseconds(500);
constexpr absl::Duration kGoodbye = absl::Seconds(1);

}  // namespace

IngestStream::IngestStream(const UplinkOptions& options, Spool& spool, std::shared_ptr<grpc::Channel> channel,
                           int64_t* sent_seq)
    : options_(options),
      spool_(spool),
      stub_(v1::IngestService::NewStub(std::move(channel))),
      sent_seq_(sent_seq),
      identity_(spool.identity()) {}

absl::Status IngestStream::Run(int64_t epoch, const std::function<void()>& on_welcome) {
  std::unique_ptr<Call> call = stub_->Ingest(&context_);
  std::thread reader([this, &call] { ReadLoop(*call); });
  absl::Status status = Talk(*call, epoch, on_welcome);
  // A stream that ends by itself gives the aggregator's reason, which cancelling would overwrite.
  if (!AwaitClosed(absl::IsUnavailable(status) ? kGoodbye : absl::ZeroDuration())) context_.TryCancel();
  reader.join();
  grpc::Status end = call->Finish();
  if (status.ok()) return status;
  // What the aggregator said explains more than what we noticed, unless it only echoes our own cancelling.
  bool echo = end.ok() || end.error_code() == grpc::StatusCode::CANCELLED;
  return echo ? status : rpc::FromGrpcStatus(end);
}

absl::Status IngestStream::Talk(Call& call, int64_t epoch, const std::function<void()>& on_welcome) {
  v1::IngestRequest request;
  v1::IngestHello& hello = *request.mutable_hello();
  hello.set_drone_id(options_.drone_id);
  hello.set_epoch(epoch);
  hello.set_spool_id(identity_.id);
  hello.set_acked_seq(std::max<int64_t>(0, spool_.acked_seq() - identity_.base));
  call.Write(request);  // a failure shows in the read
  v1::IngestWelcome welcome;
  RETURN_IF_ERROR(AwaitWelcome(&welcome));
  bool rebased = false;
  RETURN_IF_ERROR(Resume(welcome, &rebased));
  if (rebased) return absl::OkStatus();
  on_welcome();
  RETURN_IF_ERROR(SendAll(call));
  // A moment for the aggregator to end the stream in good order.
  call.WritesDone();
  AwaitClosed(kGoodbye);
  return absl::OkStatus();
}

bool IngestStream::AwaitClosed(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&closed_), timeout);
}

absl::Status IngestStream::AwaitWelcome(v1::IngestWelcome* welcome) {
  Instant deadline = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(options_.welcome_timeout);
  absl::MutexLock lock(&mu_);
  while (!welcome_) {
    RETURN_IF_ERROR(WaitLocked());
    if (!welcome_ && std::chrono::steady_clock::now() > deadline) {
      return Error(
          absl::StatusCode::kDeadlineExceeded, "INGEST_NO_WELCOME",
          absl::StrCat("the aggregator did not answer within ", absl::FormatDuration(options_.welcome_timeout)));
    }
  }
  *welcome = *welcome_;
  return absl::OkStatus();
}

absl::Status IngestStream::Resume(const v1::IngestWelcome& welcome, bool* rebased) {
  int64_t durable = welcome.durable_seq() + identity_.base;
  int64_t acked = spool_.acked_seq();
  // A copy has in common with its original only what both had when it was made.
  int64_t fork = spool_.fork_seq();
  int64_t known = fork > 0 ? fork : std::max({spool_.recovered_seq(), *sent_seq_, acked});
  if (durable > known) {
    // This disk went back in time (a copy was restored, or its end was cut off): the numbers that would come next are
    // taken by entries that are gone.
    ASSIGN_OR_RETURN(SpoolIdentity identity, spool_.Rebase(known));
    Rebased(identity, "the aggregator has entries that this disk lost");
    *rebased = true;
    return absl::OkStatus();
  }
  if (durable < acked) {
    Count("chartly_uplink_loss_detected_total");
    LogError("the aggregator lost entries it had acked; sending them again",
             {{"acked_seq", absl::StrCat(acked)}, {"durable_seq", absl::StrCat(durable)}});
  } else {
    absl::Status noted = spool_.Ack(durable);
    if (!noted.ok()) LogWarn("ack not noted", {{"error", std::string(noted.message())}});
  }
  if (fork > 0 && durable == fork) {
    ASSIGN_OR_RETURN(SpoolIdentity identity, spool_.Rebase(fork));
    Rebased(identity, "this disk is a copy, and what it has in common with its original is sent");
    *rebased = true;
    return absl::OkStatus();
  }
  int64_t last = spool_.last_seq();  // before the read: what is appended meanwhile must not count as gone
  ASSIGN_OR_RETURN(std::vector<SpoolEntry> held, spool_.Read(durable + 1, 1));
  int64_t first_held = held.empty() ? last + 1 : held.front().seq;
  if (first_held > durable + 1) {
    // The entries in between are gone. The aggregator refuses a gap, so what is left starts a sequence of its own.
    // Sources would not give again what they gave since their cursors.
    if (durable < acked) RETURN_IF_ERROR(spool_.ForgetCursors());
    ASSIGN_OR_RETURN(SpoolIdentity identity, spool_.Rebase(first_held - 1));
    Rebased(identity, "entries the aggregator needs next are no longer held");
    *rebased = true;
    return absl::OkStatus();
  }
  absl::MutexLock lock(&mu_);
  next_seq_ = durable + 1;
  if (fork > 0) last_seq_ = fork;
  acked_seq_ = durable;
  window_bytes_ = welcome.window_bytes() > 0 ? static_cast<size_t>(welcome.window_bytes()) : kDefaultWindowBytes;
  return absl::OkStatus();
}

void IngestStream::Rebased(const SpoolIdentity& identity, absl::string_view why) {
  Count("chartly_uplink_loss_detected_total");
  LogError("the spool takes a new identity", {{"why", std::string(why)},
                                              {"old_id", identity_.id},
                                              {"new_id", identity.id},
                                              {"base", absl::StrCat(identity.base)}});
}

absl::Status IngestStream::SendAll(Call& call) {
  while (true) {
    ASSIGN_OR_RETURN(std::vector<SpoolEntry> entries, spool_.Read(next_seq_, kReadBytes));
    if (entries.empty()) {
      bool drained = false;
      RETURN_IF_ERROR(AwaitWork(&drained));
      if (drained) return absl::OkStatus();
      continue;
    }
    // Behind a gap nothing can follow on this stream; the next one takes it up.
    if (entries.front().seq != next_seq_ || next_seq_ > last_seq_) return AwaitAllAcked();
    for (SpoolEntry& entry : entries) {
      if (entry.seq <= last_seq_) RETURN_IF_ERROR(Send(call, std::move(entry)));
    }
  }
}

absl::Status IngestStream::Send(Call& call, SpoolEntry entry) {
  size_t bytes = entry.payload.size();
  int64_t seq = entry.seq;
  RETURN_IF_ERROR(AwaitWindow(bytes));
  v1::IngestRequest request;
  request.mutable_entry()->set_seq(seq - identity_.base);
  if (entry.kind == EntryKind::kBatch) {
    request.mutable_entry()->set_batch(std::move(entry.payload));
  } else if (!request.mutable_entry()->mutable_run_end()->ParseFromString(entry.payload)) {
    return Error(absl::StatusCode::kInternal, "RUN_END_INVALID",
                 absl::StrCat("entry ", seq, " of the spool is no end of a run"));
  } else {
    TellDamage(*request.mutable_entry()->mutable_run_end());
  }
  {
    // Before the write: the ack may be faster than its return.
    absl::MutexLock lock(&mu_);
    if (unacked_.empty()) last_ack_ = std::chrono::steady_clock::now();
    unacked_.push_back({seq, bytes});
    unacked_bytes_ += bytes;
  }
  *sent_seq_ = std::max(*sent_seq_, seq);
  next_seq_ = seq + 1;
  if (call.Write(request)) return absl::OkStatus();
  return Error(absl::StatusCode::kUnavailable, "INGEST_CLOSED", "the stream to the aggregator broke");
}

// The end was written before the damage was known, or by a process that knew no more than that the run was cut off.
void IngestStream::TellDamage(v1::RunEnd& end) const {
  std::optional<SeqRange> lost = spool_.DamageOf(end.run_id());
  if (!lost) return;
  end.set_cancelled(false);
  end.set_error_reason("SPOOL_DAMAGED");
  end.set_error(absl::StrCat("entries ", lost->first, " to ", lost->second, " of the spool of drone ",
                             options_.drone_id,
                             " were damaged on its disk, and rows of the run may be among them; run the profile again, "
                             "and check that disk"));
}

absl::Status IngestStream::AwaitWork(bool* drained) {
  absl::MutexLock lock(&mu_);
  while (!woken_) {
    *drained = draining_ && unacked_.empty();
    if (*drained) return absl::OkStatus();
    RETURN_IF_ERROR(WaitLocked());
  }
  woken_ = false;
  return absl::OkStatus();
}

absl::Status IngestStream::AwaitWindow(size_t bytes) {
  absl::MutexLock lock(&mu_);
  while (!unacked_.empty() && unacked_bytes_ + bytes > window_bytes_) RETURN_IF_ERROR(WaitLocked());
  return failure_;
}

absl::Status IngestStream::AwaitAllAcked() {
  absl::MutexLock lock(&mu_);
  while (!unacked_.empty()) RETURN_IF_ERROR(WaitLocked());
  return absl::OkStatus();
}

absl::Status IngestStream::WaitLocked() {
  RETURN_IF_ERROR(failure_);
  if (closed_) return Error(absl::StatusCode::kUnavailable, "INGEST_CLOSED", "the aggregator closed the stream");
  auto patience = absl::ToChronoMilliseconds(options_.ack_timeout);
  if (!unacked_.empty() && std::chrono::steady_clock::now() - last_ack_ > patience) {
    return Error(absl::StatusCode::kDeadlineExceeded, "INGEST_NO_ACK",
                 absl::StrCat("the aggregator acked nothing for ", absl::FormatDuration(options_.ack_timeout)));
  }
  changed_.WaitWithTimeout(&mu_, std::min(kTick, options_.ack_timeout / 2));
  return absl::OkStatus();
}

void IngestStream::ReadLoop(Call& call) {
  v1::IngestResponse response;
  while (call.Read(&response)) {
    absl::Status status;
    if (response.has_ack()) status = OnAck(response.ack());
    absl::MutexLock lock(&mu_);
    if (response.has_welcome() && !welcome_) welcome_ = response.welcome();
    if (!status.ok() && failure_.ok()) failure_ = status;
    changed_.SignalAll();
  }
  absl::MutexLock lock(&mu_);
  closed_ = true;
  changed_.SignalAll();
}

absl::Status IngestStream::OnAck(const v1::IngestAck& ack) {
  int64_t seq = ack.seq() + identity_.base;
  {
    absl::MutexLock lock(&mu_);
    int64_t highest = unacked_.empty() ? acked_seq_ : unacked_.back().first;
    if (!welcome_ || seq > highest) {
      return Error(absl::StatusCode::kInternal, "INGEST_ACK_INVALID",
                   absl::StrCat("the aggregator acked entry ", ack.seq(), ", which was not sent on this stream"));
    }
    while (!unacked_.empty() && unacked_.front().first <= seq) {
      unacked_bytes_ -= unacked_.front().second;
      unacked_.pop_front();
    }
    progressed_ = progressed_ || seq > acked_seq_;
    acked_seq_ = seq = std::max(acked_seq_, seq);
    last_ack_ = std::chrono::steady_clock::now();
  }
  absl::Status noted = spool_.Ack(seq);
  if (noted.ok() && ack.checkpoint_seq() > 0) {
    noted = spool_.Release(std::min(seq, ack.checkpoint_seq() + identity_.base));
  }
  // The entries stay and are released by a later ack; sending goes on.
  if (!noted.ok()) LogWarn("ack not noted in the spool", {{"error", std::string(noted.message())}});
  return absl::OkStatus();
}

void IngestStream::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
  changed_.SignalAll();
}

void IngestStream::Drain() {
  absl::MutexLock lock(&mu_);
  draining_ = woken_ = true;
  changed_.SignalAll();
}

void IngestStream::Cancel() {
  {
    absl::MutexLock lock(&mu_);
    if (failure_.ok()) failure_ = absl::CancelledError("the uplink ends this stream");
    changed_.SignalAll();
  }
  context_.TryCancel();
}

bool IngestStream::progressed() const {
  absl::MutexLock lock(&mu_);
  return progressed_;
}

}  // namespace chartly::drone
