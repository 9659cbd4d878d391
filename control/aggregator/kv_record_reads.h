// The read half of the record store over the embedded key-value store: the same code for the store itself
// (KvRecordStore) and for a frozen view of it. docs/formats/store.md lists the keys. Thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_READS_H_
#define CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_READS_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/kv/kv_store.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/store_keys.h"

namespace chartly::aggregator {

using PartsByProfile = std::map<std::string, PartList>;

// Base is RecordReader or a class derived from it.
template <typename Base>
class KvRecordReads : public Base {
 public:
  using typename Base::ChunkVisitor;
  using typename Base::DeletionVisitor;
  using typename Base::QuarantineVisitor;
  using typename Base::RowsByBatch;
  using typename Base::RowsVisitor;
  using typename Base::RunStateVisitor;
  using typename Base::RunVisitor;
  using typename Base::SpoolVisitor;

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
  absl::Status ScanSpools(const SpoolVisitor& visit) const override;
  absl::StatusOr<std::string> ChunkBatch(uint64_t chunk) const override;
  absl::StatusOr<ChunkMeta> Meta(uint64_t chunk) const override;
  absl::StatusOr<bool> HasBatch(uint64_t chunk) const override;
  absl::Status ScanChunks(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const override;
  absl::Status ScanChunksDown(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const override;
  absl::Status ScanRows(const RowScan& scan, const RowsVisitor& visit) const override;
  absl::Status ScanRun(const std::string& run_id, uint64_t first, uint64_t as_of,
                       const RunVisitor& visit) const override;
  absl::Status ScanRuns(const RunStateVisitor& visit) const override;
  absl::Status ScanQuarantine(const std::string& profile_id, const std::string& run_id, absl::string_view after,
                              const QuarantineVisitor& visit) const override;
  PartList Parts(const std::string& profile_id) const override;
  std::map<std::string, PartList> AllParts() const override { return *parts(); }
  absl::StatusOr<std::string> SealedChunk(uint64_t part, uint32_t index) const override;
  absl::Status ScanUnsealed(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const override;
  absl::StatusOr<RowsByBatch> Superseded(const std::string& profile_id, uint64_t first, uint64_t last,
                                         uint64_t as_of) const override;
  absl::StatusOr<bool> AnySuperseded(const std::string& profile_id,
                                     const std::function<bool(uint64_t of, uint64_t by)>& fits) const override;
  absl::Status ScanDeletions(const std::string& profile_id, const DeletionVisitor& visit) const override;
  absl::StatusOr<std::optional<LegalHold>> Hold(const std::string& profile_id) const override;
  absl::StatusOr<std::map<std::string, LegalHold>> Holds() const override;

 protected:
  virtual const KvReader& kv() const = 0;
  virtual const StoreKeys& keys() const = 0;
  virtual std::shared_ptr<const PartsByProfile> parts() const = 0;

 private:
  template <typename State>
  absl::StatusOr<std::optional<State>> ReadState(const std::string& key) const;
  template <typename State>
  absl::StatusOr<std::map<std::string, State>> ReadStates(const std::string& prefix) const;
  std::string ChunkPrefix(const std::string& profile_id) const;
  absl::StatusOr<ChunkMeta> MetaAt(const KvIterator& it) const;
};

extern template class KvRecordReads<RecordReader>;
extern template class KvRecordReads<RecordStore>;

// A state of the store that does not change. The store must outlive it.
class KvRecordView final : public KvRecordReads<RecordReader> {
 public:
  KvRecordView(std::shared_ptr<const KvReader> kv, const StoreKeys& keys, std::shared_ptr<const PartsByProfile> parts)
      : kv_(std::move(kv)), keys_(keys), parts_(std::move(parts)) {}

 private:
  const KvReader& kv() const override { return *kv_; }
  const StoreKeys& keys() const override { return keys_; }
  std::shared_ptr<const PartsByProfile> parts() const override { return parts_; }

  const std::shared_ptr<const KvReader> kv_;
  const StoreKeys keys_;
  const std::shared_ptr<const PartsByProfile> parts_;
};

// DataLoss (STORE_CORRUPT): what is said does not parse.
absl::Status StoreDamaged(absl::string_view what);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_READS_H_
