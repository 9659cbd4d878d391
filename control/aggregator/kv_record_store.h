// RecordStore over the embedded key-value store: one synced write an append. docs/formats/store.md lists the keys.
#ifndef CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_STORE_H_
#define CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_STORE_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/kv/kv_store.h"
#include "common/rpc/caller.h"
#include "control/aggregator/kv_record_reads.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/store_keys.h"

namespace chartly::aggregator {

class KvRecordStore final : public KvRecordReads<RecordStore> {
 public:
  // A store of an older format is brought to the present one first. FailedPrecondition (STORE_FORMAT_UNKNOWN) if a
  // newer program wrote it; else as OpenKvStore.
  static absl::StatusOr<std::unique_ptr<KvRecordStore>> Open(const std::string& path, const KvOptions& options,
                                                             absl::string_view tenant = rpc::kDefaultTenant);
  // The store of one of the tenants that share `kv`.
  static absl::StatusOr<std::unique_ptr<KvRecordStore>> Open(std::shared_ptr<KvStore> kv, absl::string_view tenant);

  absl::Status Append(StoreWrite write) override;
  absl::StatusOr<uint64_t> Erase(const Erasure& erasure) override;
  absl::Status PutDeletion(uint64_t number, const StoredDeletion& deletion) override;
  absl::Status PutHold(const std::string& profile_id, const std::optional<LegalHold>& hold) override;
  std::unique_ptr<RecordReader> View() const override;
  uint64_t NewPartId() override { return ++last_part_; }
  absl::Status WriteSealedChunk(uint64_t part, uint32_t index, std::string bytes) override;
  absl::Status SealPart(Seal seal) override;
  void SetFilter(const PartMeta& part, std::shared_ptr<const PartFilter> filter) override;
  void SetIds(const PartMeta& part, std::shared_ptr<const IdFilters> ids) override;
  absl::Status RemovePart(uint64_t id) override;
  void SetAside(uint64_t part, uint32_t index, const absl::Status& damage) const override;
  std::string Damage() const override;

 private:
  KvRecordStore(std::shared_ptr<KvStore> kv, absl::string_view tenant) : kv_(std::move(kv)), keys_(tenant) {}
  const KvReader& kv() const override { return *kv_; }
  const StoreKeys& keys() const override { return keys_; }
  std::shared_ptr<const PartsByProfile> parts() const override;
  // What of a deletion concerns parts: `parts` become what they are then, `gone` those without rows.
  struct ErasedParts {
    PartList parts;
    std::vector<uint64_t> gone;
  };
  absl::Status EraseBatches(const Erasure& erasure, KvBatch& batch) const;
  absl::Status EraseCounters(const Erasure& erasure, KvBatch& batch) const;
  absl::Status EraseQuarantine(const Erasure& erasure, KvBatch& batch) const;
  absl::Status Revive(const Erasure& erasure, KvBatch& batch) const;
  absl::StatusOr<ErasedParts> EraseInParts(const Erasure& erasure, KvBatch& batch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<PartMeta> WithoutBatches(const PartMeta& part, const std::vector<uint64_t>& erased) const;
  absl::Status CheckUndeleted(const std::string& profile_id, const Seal& seal) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ChangePart(const PartMeta& part, const std::function<void(Part&)>& change);
  absl::Status AdmitFormat();
  absl::Status LoadParts();
  absl::Status LoadDamage();
  // Removes chunks that no part holds: a process was killed while it made one.
  absl::Status RemoveGarbage();

  const std::shared_ptr<KvStore> kv_;
  const StoreKeys keys_;
  std::atomic<uint64_t> last_part_{0};
  mutable absl::Mutex mu_;
  std::shared_ptr<const PartsByProfile> parts_ ABSL_GUARDED_BY(mu_) = std::make_shared<PartsByProfile>();
  mutable size_t damaged_ ABSL_GUARDED_BY(mu_) = 0;
  mutable std::string first_damage_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_KV_RECORD_STORE_H_
