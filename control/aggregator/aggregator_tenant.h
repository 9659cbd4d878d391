// The aggregator of one tenant: its records, and the threads that commit, seal and retain them. Thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_TENANT_H_
#define CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_TENANT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/kv/kv_store.h"
#include "common/rpc/peers.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/eraser.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_explainer.h"
#include "control/aggregator/record_export.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/redriver.h"
#include "control/aggregator/retention.h"
#include "control/aggregator/sealer.h"
#include "control/aggregator/store_inspector.h"

namespace chartly::aggregator {

struct AggregatorConfig {
  std::string data_dir;  // of the process; records lie in its folder "records"
  // Memory of the dedupe index, filters and look-ups of the default tenant; all others together have as much again.
  size_t dedupe_bytes = size_t{1} << 30;
  size_t memory_bytes = size_t{256} << 20;  // write buffers and cache of the store, which all tenants share
  size_t keep_log_bytes = 0;                // as in KvOptions
  SealerOptions sealer;
  absl::Duration retention_interval = absl::Hours(1);  // how often what is kept long enough is looked for
};

class AggregatorTenant {
 public:
  // As KvRecordStore::Open. Peers and clock must outlive it.
  static absl::StatusOr<std::unique_ptr<AggregatorTenant>> Open(const std::string& tenant,
                                                                const AggregatorConfig& config,
                                                                std::shared_ptr<KvStore> kv, const rpc::Peers& peers,
                                                                Clock& clock);
  ~AggregatorTenant() { Shutdown(); }
  // Starts the retention of profiles, which asks the registry.
  absl::Status Start();
  // Empty if all is well; else what is wrong, for people.
  std::string Health() const { return committer_->Health(); }
  std::string Amiss() const { return committer_->Amiss(); }
  // Safe twice.
  void Shutdown();

  const RecordStore& store() const { return *store_; }
  Committer& committer() { return *committer_; }
  const RecordQuery& query() const { return *query_; }
  RecordExport& exports() { return *exports_; }
  const RecordExplainer& explainer() const { return *explainer_; }
  Redriver& redriver() { return *redriver_; }
  Eraser& eraser() { return *eraser_; }
  const StoreInspector& inspector() const { return *inspector_; }

 private:
  AggregatorTenant() = default;

  std::unique_ptr<KvRecordStore> store_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Sealer> sealer_;
  std::unique_ptr<RecordQuery> query_;
  std::unique_ptr<RecordExport> exports_;
  std::unique_ptr<RecordExplainer> explainer_;
  std::unique_ptr<Redriver> redriver_;
  std::unique_ptr<Eraser> eraser_;
  std::unique_ptr<StoreInspector> inspector_;
  std::unique_ptr<Retention> retention_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_TENANT_H_
