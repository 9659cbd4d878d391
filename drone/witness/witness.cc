#include "drone/witness/witness.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::drone {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);

bool IsAlarm(const absl::Status& status) { return absl::IsDataLoss(status) || absl::IsUnauthenticated(status); }

}  // namespace

Witness::Witness(WitnessedLog log, const std::shared_ptr<grpc::Channel>& audit, absl::Duration interval)
    : log_(std::move(log)), stub_(v1::AuditService::NewStub(audit)), interval_(interval) {}

void Witness::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Witness::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    if (call_ != nullptr) call_->TryCancel();
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status Witness::Ask() {
  v1::WitnessAuditLogRequest request;
  request.set_since_size(log_.size());
  v1::AuditCheckpoint answer;
  grpc::ClientContext context;
  rpc::Prepare(context, kTimeout);
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return absl::OkStatus();
    call_ = &context;
  }
  grpc::Status called = stub_->WitnessAuditLog(&context, request, &answer);
  {
    absl::MutexLock lock(&mu_);
    call_ = nullptr;
  }
  // A log that is shorter than it was has no proof to give; its checkpoint alone says enough.
  if (called.error_code() == grpc::StatusCode::OUT_OF_RANGE && log_.size() > 0) {
    grpc::ClientContext again;
    rpc::Prepare(again, kTimeout);
    request.clear_since_size();
    called = stub_->WitnessAuditLog(&again, request, &answer);
  }
  // That the control plane does not answer is no fault of the log.
  if (!called.ok()) return absl::UnavailableError(called.error_message());
  return log_.Take(answer);
}

void Witness::Report(const absl::Status& status) {
  if (status.ok()) {
    SetGauge("chartly_witness_size", static_cast<double>(log_.size()));
    alarmed_ = false;
  }
  if (!IsAlarm(status)) return;
  Count("chartly_witness_alarms_total", 1, Reason(status));
  if (!alarmed_) LogError("audit log fails its witness", {{"error", std::string(status.message())}});
  alarmed_ = true;
}

void Witness::Run() {
  while (true) {
    Report(Ask());
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopped_), interval_)) return;
  }
}

}  // namespace chartly::drone
