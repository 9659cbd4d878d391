// The aggregator, put together. Open, then register services(); Shutdown before the server is shut down ends the
// streams at once, after it is fine too. Safe twice.
#ifndef CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_COMPONENT_H_
#define CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_COMPONENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/storage/v1/backup.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/peers.h"
#include "common/rpc/tenants.h"
#include "control/aggregator/aggregator_tenant.h"
#include "control/aggregator/ingest_service.h"
#include "control/aggregator/record_service.h"

namespace chartly::aggregator {

class AggregatorComponent {
 public:
  // As OpenKvStore. Authenticator, sink and peers must outlive it.
  static absl::StatusOr<std::unique_ptr<AggregatorComponent>> Open(const AggregatorConfig& config,
                                                                   const rpc::Authenticator& authenticator,
                                                                   rpc::AuditSink* audit, const rpc::Peers& peers);
  ~AggregatorComponent() { Shutdown(); }
  std::vector<grpc::Service*> services() { return {&ingest_, &records_}; }
  // Starts the retention of profiles, which asks the registry.
  absl::Status Start() { return tenants_.Start(); }
  // Empty if all is well; else what is wrong, for people.
  std::string Health() const { return tenants_.Health(); }
  // Empty, or what is wrong and no restart mends: a full disk, a full index, damage that was set aside.
  std::string Amiss() const;
  // What backups take of it.
  KvSource& source() { return *kv_; }
  // What the store held that was backed up there.
  static absl::StatusOr<storage::v1::LedgerPosition> LedgerOf(const std::string& folder, uint32_t number);
  void Shutdown();

 private:
  AggregatorComponent(const AggregatorConfig& config, std::shared_ptr<KvStore> kv,
                      const rpc::Authenticator& authenticator, rpc::AuditSink* audit, const rpc::Peers& peers);

  SystemClock clock_;
  const std::string path_;  // of the store
  const std::shared_ptr<KvStore> kv_;
  rpc::Tenants<AggregatorTenant> tenants_;
  IngestService ingest_;
  RecordService records_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_COMPONENT_H_
