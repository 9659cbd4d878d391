#include "common/rpc/audit_sink.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "chartly/v1/audit.grpc.pb.h"
#include "common/rpc/peers.h"
#include "common/rpc/refusal_ledger.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {
namespace {

constexpr absl::Duration kAuditTimeout = absl::Seconds(2);
constexpr absl::Duration kFlushInterval = absl::Seconds(1);

// The audit service writes those that come together in one group.
constexpr int kMaxOnTheirWay = 128;

// One call that nobody waits for.
struct Appending {
  v1::AppendAuditEventRequest request;
  v1::AuditEvent appended;
  grpc::ClientContext context;
  std::unique_ptr<v1::AuditService::Stub> stub;
};

v1::AppendAuditEventRequest RequestOf(const AuditEntry& entry) {
  v1::AppendAuditEventRequest request;
  v1::AuditEvent& event = *request.mutable_event();
  event.set_actor(entry.actor);
  event.set_action(entry.action);
  event.set_subject(entry.subject);
  event.set_outcome(entry.outcome);
  event.set_request_id(entry.request_id);
  event.set_tenant(entry.tenant);
  event.set_address(entry.address);
  event.set_detail(entry.detail);
  return request;
}

absl::Status Recorded(const AuditEntry& entry, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  Count("chartly_audit_failures_total");
  LogError("not in the audit log", {{"action", entry.action},
                                    {"outcome", entry.outcome},
                                    {"request_id", entry.request_id},
                                    {"error", status.error_message()}});
  return Error(absl::StatusCode::kUnavailable, "AUDIT_UNAVAILABLE",
               "the audit log takes nothing now, and what cannot be recorded is not done; try again soon");
}

// Many at once, so that the log writes them together; all have arrived, or failed, when it returns.
void RecordAll(AuditSink& sink, const std::deque<AuditEntry>& entries) {
  absl::BlockingCounter left(static_cast<int>(entries.size()));
  for (const AuditEntry& entry : entries) sink.RecordLater(entry, [&left] { left.DecrementCount(); });
  left.Wait();
}

}  // namespace

RpcAuditSink::RpcAuditSink(const Peers& peers)
    : peers_(peers), refusals_(std::make_unique<RefusalLedger>(RecordedRefusals())), thread_([this] { Run(); }) {}

RpcAuditSink::~RpcAuditSink() {
  Shutdown();
  auto none = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return on_their_way_ == 0 && later_.empty(); };
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&none));
}

absl::Status RpcAuditSink::Record(const AuditEntry& entry) {
  grpc::ClientContext context;
  Prepare(context, kAuditTimeout, entry.request_id);
  v1::AuditEvent appended;
  return Recorded(
      entry,
      v1::AuditService::NewStub(peers_.Channel(Part::kAudit))->AppendAuditEvent(&context, RequestOf(entry), &appended));
}

void RpcAuditSink::RecordLater(const AuditEntry& entry, std::function<void()> done) {
  {
    absl::MutexLock lock(&mu_);
    if (on_their_way_ == kMaxOnTheirWay) {
      later_.push_back({entry, std::move(done)});
      return;
    }
    ++on_their_way_;
  }
  Send({entry, std::move(done)});
}

// The next one takes the place of one that arrived. Nothing here is touched once the last of them has.
void RpcAuditSink::SendNext() {
  Later next;
  {
    absl::MutexLock lock(&mu_);
    if (later_.empty()) {
      --on_their_way_;
      return;
    }
    next = std::move(later_.front());
    later_.pop_front();
  }
  Send(std::move(next));
}

void RpcAuditSink::Send(Later later) {
  auto call = std::make_shared<Appending>();
  call->request = RequestOf(later.entry);
  Prepare(call->context, kAuditTimeout, later.entry.request_id);
  call->stub = v1::AuditService::NewStub(peers_.Channel(Part::kAudit));
  v1::AuditService::Stub& stub = *call->stub;
  stub.async()->AppendAuditEvent(&call->context, &call->request, &call->appended,
                                 [this, call, later = std::move(later)](const grpc::Status& status) {
                                   Recorded(later.entry, status).IgnoreError();
                                   later.done();
                                   SendNext();
                                 });
}

void RpcAuditSink::Refused(const AuditEntry& entry) {
  if (!refusals_->Take(entry, absl::Now())) return;
  absl::MutexLock lock(&mu_);
  if (!stopped_ && refused_.size() < 2 * refusals_->max_kinds()) refused_.push_back(entry);
}

void RpcAuditSink::Run() {
  for (bool last = false; !last;) {
    std::deque<AuditEntry> entries;
    {
      absl::MutexLock lock(&mu_);
      const auto news = [this] { return stopped_ || !refused_.empty(); };
      mu_.AwaitWithTimeout(absl::Condition(&news), kFlushInterval);
      last = stopped_;
      entries.swap(refused_);
    }
    for (AuditEntry& counted : refusals_->Due(absl::Now(), last)) entries.push_back(std::move(counted));
    // One that fails is counted and logged; the next of its kind comes within a minute.
    if (!last) {
      RecordAll(*this, entries);
      continue;
    }
    // At the end a log that is gone must not hold up the process for each of them.
    for (const AuditEntry& entry : entries) {
      if (!Record(entry).ok()) break;
    }
  }
}

void RpcAuditSink::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace chartly::rpc
