// RecordStore over the embedded key-value store: one synced write an append. docs/formats/store.md lists the keys.
#ifndef CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_STORE_H_
#define CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_STORE_H_

#include <memory>
#include <string>

#include "common/kv/kv_store.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/store_keys.h"

namespace chartly::aggregator {

inline constexpr char kDefaultTenant[] = "default";

class KvRecordStore final : public RecordStore {
 public:
  // A store of an older format is brought to the present one first. FailedPrecondition (STORE_FORMAT_UNKNOWN) if a
  // newer program wrote it; else as OpenKvStore.
  static absl::StatusOr<std::unique_ptr<KvRecordStore>> Open(const std::string& path, const KvOptions& options,
                                                             absl::string_view tenant = kDefaultTenant);

  absl::Status Append(StoreWrite write) override;
  absl::StatusOr<uint64_t> LastBatch() const override;
  absl::StatusOr<uint64_t> LastBatchAt(int64_t acked_us) const override;
  absl::StatusOr<int64_t> LastAckedUs() const override;
  absl::StatusOr<std::optional<RunState>> Run(const std::string& run_id) const override;
  absl::StatusOr<std::optional<ProfileState>> Profile(const std::string& profile_id) const override;
  absl::StatusOr<std::optional<DroneState>> Drone(const std::string& drone_id) const override;
  absl::StatusOr<std::optional<SpoolState>> Spool(const std::string& drone_id,
                                                  const std::string& spool_id) const override;
  absl::StatusOr<std::map<std::string, ProfileState>> Profiles() const override;
  absl::StatusOr<std::map<std::string, DroneState>> Drones() const override;
  absl::StatusOr<std::string> ChunkBatch(uint64_t chunk) const override;
  absl::StatusOr<ChunkMeta> Meta(uint64_t chunk) const override;
  absl::Status ScanChunks(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const override;
  absl::Status ScanChunksDown(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const override;
  absl::Status ScanRows(const RowScan& scan, const RowsVisitor& visit) const override;
  absl::Status ScanRun(const std::string& run_id, uint64_t first, uint64_t as_of,
                       const RunVisitor& visit) const override;
  absl::Status ScanRuns(const RunStateVisitor& visit) const override;
  absl::Status ScanQuarantine(const std::string& profile_id, const std::string& run_id, absl::string_view after,
                              const QuarantineVisitor& visit) const override;

 private:
  KvRecordStore(std::unique_ptr<KvStore> kv, absl::string_view tenant) : kv_(std::move(kv)), keys_(tenant) {}
  absl::Status AdmitFormat();
  template <typename State>
  absl::StatusOr<std::optional<State>> ReadState(const std::string& key) const;
  template <typename State>
  absl::StatusOr<std::map<std::string, State>> ReadStates(const std::string& prefix) const;
  std::string ChunkPrefix(const std::string& profile_id) const;
  absl::StatusOr<ChunkMeta> MetaAt(const KvIterator& it) const;

  const std::unique_ptr<KvStore> kv_;
  const StoreKeys keys_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_STORE_H_
