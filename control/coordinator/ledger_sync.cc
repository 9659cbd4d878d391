#include "control/coordinator/ledger_sync.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::coordinator {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(5);
constexpr size_t kLedgersAtOnce = 64;

}  // namespace

void LedgerSync::Start() {
  thread_ = std::thread([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    Loop();
  });
}

void LedgerSync::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    if (!stop_.HasBeenNotified()) stop_.Notify();
    if (current_ != nullptr) current_->TryCancel();
  }
  if (thread_.joinable()) thread_.join();
}

void LedgerSync::Loop() {
  while (!clock_.WaitFor(interval_, stop_)) {
    const std::optional<absl::Status> status = Pass();
    if (stop_.HasBeenNotified()) return;
    if (!status) continue;
    bool before = reachable_.exchange(status->ok());
    if (before && !status->ok()) {
      LogWarn("ledger is out of reach",
              {{"aggregator", peers_.Address(Part::kAggregator)}, {"status", status->ToString()}});
    } else if (!before && status->ok()) {
      LogInfo("ledger is within reach again");
    }
  }
}

std::optional<absl::Status> LedgerSync::Pass() {
  for (std::string& run_id : coordinator_.RunsAwaitingLedger()) unasked_.insert(std::move(run_id));
  if (unasked_.empty()) return std::nullopt;
  absl::Status status;
  std::vector<v1::RunLedger> answered;
  while (!unasked_.empty()) {
    if (stop_.HasBeenNotified()) return absl::OkStatus();
    status = Ask(*unasked_.begin(), answered);
    if (!status.ok()) break;
    unasked_.erase(unasked_.begin());
    if (answered.size() == kLedgersAtOnce) coordinator_.TakeLedgers(std::exchange(answered, {}));
  }
  if (!answered.empty()) coordinator_.TakeLedgers(answered);
  return status;
}

absl::Status LedgerSync::Ask(const std::string& run_id, std::vector<v1::RunLedger>& answered) {
  grpc::ClientContext context;
  rpc::Prepare(context, kCallTimeout);
  {
    absl::MutexLock lock(&mu_);
    if (stop_.HasBeenNotified()) return absl::OkStatus();
    current_ = &context;
  }
  v1::GetRunLedgerRequest request;
  request.set_name(absl::StrCat("runs/", run_id));
  v1::RunLedger ledger;
  auto stub = v1::RecordService::NewStub(peers_.Channel(Part::kAggregator));
  absl::Status status = rpc::FromGrpcStatus(stub->GetRunLedger(&context, request, &ledger));
  {
    absl::MutexLock lock(&mu_);
    current_ = nullptr;
  }
  if (absl::IsNotFound(status)) return absl::OkStatus();  // nothing of it arrived yet
  RETURN_IF_ERROR(status);
  ledger.set_run_id(run_id);
  answered.push_back(std::move(ledger));
  return absl::OkStatus();
}

}  // namespace chartly::coordinator
