#include "common/rpc/audit_sink.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "chartly/v1/audit.grpc.pb.h"
#include "common/rpc/peers.h"
#include "common/rpc/refusal_ledger.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(2);
constexpr absl::Duration kFlushInterval = absl::Seconds(1);

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

}  // namespace

RpcAuditSink::RpcAuditSink(const Peers& peers)
    : peers_(peers), refusals_(std::make_unique<RefusalLedger>()), thread_([this] { Run(); }) {}

RpcAuditSink::~RpcAuditSink() { Shutdown(); }

absl::Status RpcAuditSink::Record(const AuditEntry& entry) {
  grpc::ClientContext context;
  Prepare(context, kTimeout, entry.request_id);
  v1::AuditEvent appended;
  const grpc::Status status =
      v1::AuditService::NewStub(peers_.Channel(Part::kAudit))->AppendAuditEvent(&context, RequestOf(entry), &appended);
  if (status.ok()) return absl::OkStatus();
  Count("chartly_audit_failures_total");
  LogError("not in the audit log", {{"action", entry.action},
                                    {"outcome", entry.outcome},
                                    {"request_id", entry.request_id},
                                    {"error", status.error_message()}});
  return Error(absl::StatusCode::kUnavailable, "AUDIT_UNAVAILABLE",
               "the audit log takes nothing now, and what cannot be recorded is not done; try again soon");
}

void RpcAuditSink::Refused(const AuditEntry& entry) {
  if (!refusals_->Take(entry, absl::Now())) return;
  absl::MutexLock lock(&mu_);
  if (!stopped_ && waiting_.size() < 2 * RefusalLedger::kMaxKinds) waiting_.push_back(entry);
}

void RpcAuditSink::Run() {
  for (bool last = false; !last;) {
    std::deque<AuditEntry> entries;
    {
      absl::MutexLock lock(&mu_);
      const auto news = [this] { return stopped_ || !waiting_.empty(); };
      mu_.AwaitWithTimeout(absl::Condition(&news), kFlushInterval);
      last = stopped_;
      entries.swap(waiting_);
    }
    for (AuditEntry& counted : refusals_->Due(absl::Now(), last)) entries.push_back(std::move(counted));
    for (const AuditEntry& entry : entries) {
      // One that fails is counted and logged; the next of its kind comes within a minute.
      if (!Record(entry).ok() && last) break;
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
