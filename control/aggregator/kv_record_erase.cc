// Deletions in the embedded record store: whole batches go, whether they lie as they arrived or in a part. A part that
// keeps some of its batches notes which of its rows count no more; merging removes these.
#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/aggregator/kv_record_store.h"

namespace chartly::aggregator {
namespace {

void DeletePrefix(const KvReader& kv, const std::string& prefix, KvBatch& batch) {
  std::unique_ptr<KvIterator> it = kv.NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) batch.Delete(it->key());
}

std::vector<uint64_t> NumbersOf(const Erasure& erasure) {
  std::vector<uint64_t> numbers;
  for (const auto& [number, meta] : erasure.batches) numbers.push_back(number);
  return numbers;
}

// Takes something off a counter, which a damaged store may have wrong.
int64_t Less(int64_t counter, int64_t by) { return std::max<int64_t>(counter - by, 0); }

}  // namespace

absl::Status KvRecordStore::EraseBatches(const Erasure& erasure, KvBatch& batch) const {
  const std::string& profile_id = erasure.deletion.profile_id();
  for (const auto& [number, meta] : erasure.batches) {
    batch.Delete(keys_.ChunkBatch(number));
    batch.Delete(keys_.Unsealed(profile_id, number));
    batch.Delete(keys_.Meta(number));
    batch.Delete(keys_.ProfileChunk(profile_id, number));
    DeletePrefix(*kv_, NumberedKey(keys_.SupersededPrefix(profile_id), number), batch);
    DeletePrefix(*kv_, NumberedKey(keys_.RunRowsPrefix(meta.run_id()), number), batch);
  }
  return absl::OkStatus();
}

absl::Status KvRecordStore::EraseCounters(const Erasure& erasure, KvBatch& batch) const {
  std::map<std::string, int64_t> by_run;
  std::map<std::string, int64_t> by_drone;
  int64_t rows = 0;
  for (const auto& [number, meta] : erasure.batches) {
    rows += meta.stored();
    by_run[meta.run_id()] += meta.stored();
    if (!meta.drone_id().empty()) by_drone[meta.drone_id()] += meta.stored();
  }
  for (const auto& [run_id, deleted] : by_run) {
    ASSIGN_OR_RETURN(std::optional<RunState> run, Run(run_id));
    if (!run.has_value()) continue;
    run->set_deleted(run->deleted() + deleted);
    batch.PutOwned(keys_.Run(run_id), run->SerializeAsString());
  }
  for (const auto& [drone_id, deleted] : by_drone) {
    ASSIGN_OR_RETURN(std::optional<DroneState> drone, Drone(drone_id));
    if (!drone.has_value()) continue;
    drone->set_records(Less(drone->records(), deleted));
    batch.PutOwned(keys_.Drone(drone_id), drone->SerializeAsString());
  }
  const std::string& profile_id = erasure.deletion.profile_id();
  ASSIGN_OR_RETURN(std::optional<ProfileState> profile, Profile(profile_id));
  if (!profile.has_value()) return absl::OkStatus();
  int64_t waiting = 0;
  for (const std::string& id : erasure.quarantine) {
    ASSIGN_OR_RETURN(const std::string bytes, kv_->Get(keys_.Quarantine(id)));
    StoredQuarantine row;
    if (!row.ParseFromString(bytes)) return StoreDamaged("a quarantined row");
    waiting += row.redriven_run_id().empty() ? 1 : 0;
  }
  profile->set_records(Less(profile->records(), rows));
  profile->set_batches(Less(profile->batches(), static_cast<int64_t>(erasure.batches.size())));
  profile->set_quarantined(Less(profile->quarantined(), waiting));
  batch.PutOwned(keys_.Profile(profile_id), profile->SerializeAsString());
  return absl::OkStatus();
}

absl::Status KvRecordStore::EraseQuarantine(const Erasure& erasure, KvBatch& batch) const {
  for (const std::string& id : erasure.quarantine) {
    batch.Delete(keys_.Quarantine(id));
    batch.Delete(keys_.ProfileQuarantine(erasure.deletion.profile_id(), id));
  }
  return absl::OkStatus();
}

// What these batches replaced is the newest again.
absl::Status KvRecordStore::Revive(const Erasure& erasure, KvBatch& batch) const {
  const std::vector<uint64_t> erased = NumbersOf(erasure);
  const std::string prefix = keys_.SupersededPrefix(erasure.deletion.profile_id());
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    if (std::binary_search(erased.begin(), erased.end(), KeyNumber(it->key()))) batch.Delete(it->key());
  }
  return it->status();
}

// The part with these batches marked: what lies between batches that stay, and has one that does not. No rows if none
// stays.
absl::StatusOr<PartMeta> KvRecordStore::WithoutBatches(const PartMeta& part,
                                                       const std::vector<uint64_t>& erased) const {
  std::vector<uint64_t> marks = erased;
  for (const storage::v1::BatchRange& range : part.deleted()) marks.push_back(range.first());
  std::sort(marks.begin(), marks.end());
  PartMeta result = part;
  result.clear_deleted();
  uint64_t from = part.first_batch();
  auto close_gap = [&](uint64_t end) {
    auto mark = std::lower_bound(marks.begin(), marks.end(), from);
    if (mark == marks.end() || *mark >= end) return;
    storage::v1::BatchRange& range = *result.add_deleted();
    range.set_first(from);
    range.set_last(end - 1);
  };
  bool stays = false;
  const std::string prefix = keys_.ProfileChunkPrefix(part.profile_id());
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(NumberedKey(prefix, from)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    const uint64_t batch = KeyNumber(it->key());
    if (batch > part.last_batch()) break;
    if (std::binary_search(erased.begin(), erased.end(), batch)) continue;
    close_gap(batch);
    from = batch + 1;
    stays = true;
  }
  RETURN_IF_ERROR(it->status());
  close_gap(part.last_batch() + 1);
  if (!stays) result.set_rows(0);
  return result;
}

absl::StatusOr<KvRecordStore::ErasedParts> KvRecordStore::EraseInParts(const Erasure& erasure, KvBatch& batch) const {
  const std::string& profile_id = erasure.deletion.profile_id();
  ErasedParts result;
  auto found = parts_->find(profile_id);
  if (found == parts_->end()) return result;
  size_t next = 0;
  for (const PartPtr& part : found->second) {
    const PartMeta& meta = part->meta;
    std::vector<uint64_t> erased;
    uint64_t rows = 0;
    while (next < erasure.batches.size() && erasure.batches[next].first < meta.first_batch()) ++next;
    for (; next < erasure.batches.size() && erasure.batches[next].first <= meta.last_batch(); ++next) {
      const auto& [number, batch_meta] = erasure.batches[next];
      // A damaged batch may lie unsealed among those of a part.
      absl::StatusOr<std::string> unsealed = kv_->Get(keys_.Unsealed(profile_id, number));
      if (!unsealed.ok() && !absl::IsNotFound(unsealed.status())) return unsealed.status();
      if (unsealed.ok()) continue;
      erased.push_back(number);
      rows += batch_meta.stored();
    }
    if (erased.empty()) {
      result.parts.push_back(part);
      continue;
    }
    ASSIGN_OR_RETURN(PartMeta without, WithoutBatches(meta, erased));
    if (without.rows() == 0) {
      batch.Delete(keys_.Part(profile_id, meta.first_batch()));
      DeletePrefix(*kv_, NumberedKey(keys_.DamagedChunkPrefix(), meta.id()), batch);
      result.gone.push_back(meta.id());
      continue;
    }
    without.set_deleted_rows(meta.deleted_rows() + rows);
    batch.PutOwned(keys_.Part(profile_id, meta.first_batch()), without.SerializeAsString());
    result.parts.push_back(std::make_shared<Part>(Part{std::move(without), part->filter, part->ids}));
  }
  return result;
}

absl::StatusOr<uint64_t> KvRecordStore::Erase(const Erasure& erasure) {
  const std::string& profile_id = erasure.deletion.profile_id();
  uint64_t unsealed_rows = 0;
  for (const auto& [number, meta] : erasure.batches) {
    if (kv_->Get(keys_.Unsealed(profile_id, number)).ok()) unsealed_rows += meta.stored();
  }
  KvBatch batch;
  RETURN_IF_ERROR(EraseCounters(erasure, batch));
  RETURN_IF_ERROR(EraseQuarantine(erasure, batch));
  RETURN_IF_ERROR(EraseBatches(erasure, batch));
  if (!erasure.deletion.run_id().empty()) RETURN_IF_ERROR(Revive(erasure, batch));
  batch.PutOwned(keys_.Deletion(profile_id, erasure.number), erasure.deletion.SerializeAsString());
  std::vector<uint64_t> gone;
  {
    absl::MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(ErasedParts erased, EraseInParts(erasure, batch));
    RETURN_IF_ERROR(kv_->Write(batch, true));
    auto parts = std::make_shared<PartsByProfile>(*parts_);
    if (erased.parts.empty()) {
      parts->erase(profile_id);
    } else {
      (*parts)[profile_id] = std::move(erased.parts);
    }
    parts_ = std::move(parts);
    gone = std::move(erased.gone);
  }
  for (uint64_t id : gone) RETURN_IF_ERROR(RemovePart(id));
  if (!gone.empty()) RETURN_IF_ERROR(LoadDamage());
  return unsealed_rows;
}

absl::Status KvRecordStore::CheckUndeleted(const std::string& profile_id, const Seal& seal) const {
  const absl::Status changed = absl::AbortedError("something of the part was deleted meanwhile");
  for (uint64_t batch : seal.batches) {
    absl::StatusOr<std::string> unsealed = kv_->Get(keys_.Unsealed(profile_id, batch));
    if (absl::IsNotFound(unsealed.status())) return changed;
    RETURN_IF_ERROR(unsealed.status());
  }
  size_t known = 0;
  uint64_t deleted_rows = 0;
  auto found = parts_->find(profile_id);
  for (const PartPtr& part : found == parts_->end() ? PartList() : found->second) {
    if (std::count(seal.parts.begin(), seal.parts.end(), part->meta.id()) == 0) continue;
    ++known;
    deleted_rows += part->meta.deleted_rows();
  }
  return known == seal.parts.size() && deleted_rows == seal.deleted_rows ? absl::OkStatus() : changed;
}

absl::Status KvRecordStore::PutDeletion(uint64_t number, const StoredDeletion& deletion) {
  KvBatch batch;
  batch.PutOwned(keys_.Deletion(deletion.profile_id(), number), deletion.SerializeAsString());
  return kv_->Write(batch, true);
}

absl::Status KvRecordStore::PutHold(const std::string& profile_id, const std::optional<LegalHold>& hold) {
  KvBatch batch;
  if (hold.has_value()) {
    batch.PutOwned(keys_.Hold(profile_id), hold->SerializeAsString());
  } else {
    batch.Delete(keys_.Hold(profile_id));
  }
  return kv_->Write(batch, true);
}

}  // namespace chartly::aggregator
