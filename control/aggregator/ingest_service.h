// gRPC adapter of v1::IngestService; docs/formats/ingest.md describes the conversation. It uses reactors, not threads,
// since each drone keeps its stream open for days.
//
// Thread-safe. Stop ends all streams with Unavailable, so that a server can drain; no stream outlives the committer
// if the server is shut down first or Stop was called and Idle is true.
#ifndef CHARTLY_CONTROL_AGGREGATOR_INGEST_SERVICE_H_
#define CHARTLY_CONTROL_AGGREGATOR_INGEST_SERVICE_H_

#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/aggregator/aggregator_tenant.h"

namespace chartly::aggregator {

class IngestReactor;

class IngestService final : public v1::IngestService::CallbackService {
 public:
  // All must outlive it.
  IngestService(rpc::Tenants<AggregatorTenant>& tenants, const rpc::Authenticator& authenticator,
                rpc::AuditSink* audit);

  grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse>* Ingest(grpc::CallbackServerContext* context) override;

  // Ends all streams, and new ones at once. Safe twice.
  void Stop();

 private:
  friend class IngestReactor;
  void Forget(IngestReactor* reactor);

  rpc::Tenants<AggregatorTenant>& tenants_;
  const rpc::Guard guard_;
  absl::Mutex mu_;
  std::set<std::shared_ptr<IngestReactor>> reactors_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_INGEST_SERVICE_H_
