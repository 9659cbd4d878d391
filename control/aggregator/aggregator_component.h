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
#include "control/aggregator/committer.h"
#include "control/aggregator/eraser.h"
#include "control/aggregator/ingest_service.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_explainer.h"
#include "control/aggregator/record_export.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/record_service.h"
#include "control/aggregator/redriver.h"
#include "control/aggregator/retention.h"
#include "control/aggregator/sealer.h"
#include "control/aggregator/store_inspector.h"

namespace chartly::aggregator {

struct AggregatorConfig {
  std::string data_dir;                     // of the process; records lie in its folder "records"
  size_t dedupe_bytes = size_t{1} << 30;    // memory of the dedupe index, filters and look-ups
  size_t memory_bytes = size_t{256} << 20;  // write buffers and cache of the store
  SealerOptions sealer;
  absl::Duration retention_interval = absl::Hours(1);  // how often what is kept long enough is looked for
};

class AggregatorComponent {
 public:
  // As OpenKvStore. Authenticator, sink and peers must outlive it.
  static absl::StatusOr<std::unique_ptr<AggregatorComponent>> Open(const AggregatorConfig& config,
                                                                   const rpc::Authenticator& authenticator,
                                                                   rpc::AuditSink* audit, const rpc::Peers& peers);
  ~AggregatorComponent() { Shutdown(); }
  std::vector<grpc::Service*> services() { return {ingest_.get(), records_.get()}; }
  // Starts the retention of profiles, which asks the registry.
  absl::Status Start();
  // Empty if all is well; else what is wrong, for people.
  std::string Health() const { return committer_->Health(); }
  // As KvStore::BackUp.
  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) {
    return store_->BackUp(folder, stopped);
  }
  // What the store held that was backed up there.
  static absl::StatusOr<storage::v1::LedgerPosition> LedgerOf(const std::string& folder, uint32_t number);
  void Shutdown();

 private:
  AggregatorComponent() = default;
  SystemClock clock_;
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
  std::unique_ptr<IngestService> ingest_;
  std::unique_ptr<RecordService> records_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_COMPONENT_H_
