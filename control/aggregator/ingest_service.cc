#include "control/aggregator/ingest_service.h"

#include <vector>

#include "common/status/status.h"
#include "control/aggregator/ingest_reactor_service.h"

namespace chartly::aggregator {
namespace {

absl::Status ConnectAgain() {
  return Error(absl::StatusCode::kUnavailable, "AGGREGATOR_STOPPING", "the aggregator is stopping; connect again soon");
}

}  // namespace

IngestService::IngestService(rpc::Tenants<AggregatorTenant>& tenants, const rpc::Authenticator& authenticator,
                             rpc::AuditSink* audit)
    : tenants_(tenants), guard_("chartly.v1.IngestService", authenticator, audit, &tenants) {}

grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse>* IngestService::Ingest(
    grpc::CallbackServerContext* context) {
  auto reactor = std::make_shared<IngestReactor>(*this);
  bool stopped = false;
  {
    absl::MutexLock lock(&mu_);
    reactors_.insert(reactor);
    stopped = stopped_;
  }
  if (stopped) {
    reactor->Fail(ConnectAgain());
  } else {
    reactor->Begin(context);
  }
  return reactor.get();
}

void IngestService::Stop() {
  std::vector<std::shared_ptr<IngestReactor>> open;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    open.assign(reactors_.begin(), reactors_.end());
  }
  for (const std::shared_ptr<IngestReactor>& reactor : open) reactor->Fail(ConnectAgain());
}

void IngestService::Forget(IngestReactor* reactor) {
  std::shared_ptr<IngestReactor> last = reactor->shared_from_this();  // dies after the lock is left
  absl::MutexLock lock(&mu_);
  reactors_.erase(last);
}

}  // namespace chartly::aggregator
