#include "control/aggregator/kv_record_store.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/aggregator/store_upgrade.h"

namespace chartly::aggregator {
namespace {

constexpr char kFormat[] = "3";
constexpr char kFormatWithoutVersions[] = "1";
constexpr char kFormatWithoutParts[] = "2";

}  // namespace

absl::StatusOr<std::unique_ptr<KvRecordStore>> KvRecordStore::Open(const std::string& path, const KvOptions& options,
                                                                   absl::string_view tenant) {
  ASSIGN_OR_RETURN(std::shared_ptr<KvStore> kv, OpenKvStore(path, options));
  absl::StatusOr<std::unique_ptr<KvRecordStore>> store = Open(std::move(kv), tenant);
  if (!store.ok()) return Annotate(store.status(), path);
  return store;
}

absl::StatusOr<std::unique_ptr<KvRecordStore>> KvRecordStore::Open(std::shared_ptr<KvStore> kv,
                                                                   absl::string_view tenant) {
  std::unique_ptr<KvRecordStore> store(new KvRecordStore(std::move(kv), tenant));
  RETURN_IF_ERROR(store->AdmitFormat());
  RETURN_IF_ERROR(store->LoadParts());
  RETURN_IF_ERROR(store->LoadDamage());
  RETURN_IF_ERROR(store->RemoveGarbage());
  return store;
}

absl::Status KvRecordStore::AdmitFormat() {
  absl::StatusOr<std::string> format = kv_->Get(keys_.Format());
  if (!format.ok() && !absl::IsNotFound(format.status())) return format.status();
  if (format.ok() && *format == kFormat) return absl::OkStatus();
  if (format.ok() && *format != kFormatWithoutVersions && *format != kFormatWithoutParts) {
    return Error(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT_UNKNOWN",
                 absl::StrCat("the record store has format ", *format, ", this program knows ", kFormat,
                              "; use the version that wrote it"));
  }
  if (format.ok() && *format == kFormatWithoutVersions) RETURN_IF_ERROR(AddVersions(*this, *kv_, keys_));
  if (format.ok()) RETURN_IF_ERROR(AddUnsealed(*this, *kv_, keys_));
  KvBatch batch;
  batch.Put(keys_.Format(), kFormat);
  return kv_->Write(batch, true);
}

absl::Status KvRecordStore::LoadParts() {
  auto parts = std::make_shared<PartsByProfile>();
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  std::string prefix = keys_.PartPrefix();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    auto part = std::make_shared<Part>();
    if (!part->meta.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return StoreDamaged("the description of a part");
    }
    last_part_ = std::max<uint64_t>(last_part_, part->meta.id());
    (*parts)[part->meta.profile_id()].push_back(std::move(part));
  }
  RETURN_IF_ERROR(it->status());
  absl::MutexLock lock(&mu_);
  parts_ = std::move(parts);
  return absl::OkStatus();
}

absl::Status KvRecordStore::LoadDamage() {
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  std::string prefix = keys_.DamagedChunkPrefix();
  absl::MutexLock lock(&mu_);
  damaged_ = 0;
  first_damage_.clear();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    if (damaged_++ > 0) continue;
    first_damage_ =
        absl::StrCat("chunk ", KeyNumber(it->key()), " of part ", ReadBigEndian64(it->key().substr(prefix.size())));
  }
  return it->status();
}

absl::Status KvRecordStore::RemoveGarbage() {
  std::set<uint64_t> known;
  for (const auto& [profile_id, parts] : AllParts()) {
    for (const PartPtr& part : parts) known.insert(part->meta.id());
  }
  std::string prefix = keys_.SealedChunkPrefix();
  std::vector<uint64_t> garbage;
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix);) {
    uint64_t part = ReadBigEndian64(it->key().substr(prefix.size()));
    if (known.count(part) == 0) garbage.push_back(part);
    last_part_ = std::max<uint64_t>(last_part_, part);
    it->Seek(NumberedKey(prefix, part + 1));
  }
  RETURN_IF_ERROR(it->status());
  for (uint64_t part : garbage) RETURN_IF_ERROR(RemovePart(part));
  return absl::OkStatus();
}

std::shared_ptr<const PartsByProfile> KvRecordStore::parts() const {
  absl::MutexLock lock(&mu_);
  return parts_;
}

std::unique_ptr<RecordReader> KvRecordStore::View() const {
  absl::MutexLock lock(&mu_);  // SealPart holds it, so that keys and parts agree
  return std::make_unique<KvRecordView>(kv_->Snapshot(), keys_, parts_);
}

absl::Status KvRecordStore::Append(StoreWrite write) {
  KvBatch batch;
  for (StoreWrite::Chunk& chunk : write.chunks) {
    batch.PutOwned(keys_.ChunkBatch(chunk.id), std::move(chunk.batch));
    batch.PutOwned(keys_.Meta(chunk.id), chunk.meta.SerializeAsString());
    batch.PutOwned(keys_.ProfileChunk(chunk.meta.profile_id(), chunk.id), std::string());
    batch.PutOwned(keys_.Unsealed(chunk.meta.profile_id(), chunk.id), std::string());
  }
  for (const StoreWrite::RunRows& rows : write.run_rows) {
    batch.PutOwned(keys_.RunRows(rows.run_id, rows.chunk, rows.batch), rows.rows.ToRanges());
  }
  for (const StoreWrite::Superseded& rows : write.superseded) {
    batch.PutOwned(keys_.Superseded(rows.profile_id, rows.chunk, rows.batch), rows.rows.ToRanges());
  }
  for (const StoreWrite::Quarantine& entry : write.quarantine) {
    std::string id = StoreKeys::QuarantineId(entry.run_ordinal, entry.batch, entry.index);
    batch.PutOwned(keys_.Quarantine(id), entry.row.SerializeAsString());
    batch.PutOwned(keys_.ProfileQuarantine(entry.row.profile_id(), id), std::string());
  }
  for (const StoreWrite::Redriven& entry : write.redriven) {
    batch.PutOwned(keys_.Quarantine(entry.id), entry.row.SerializeAsString());
  }
  const StoreStates& states = write.states;
  for (const auto& [run_id, state] : states.runs) batch.PutOwned(keys_.Run(run_id), state.SerializeAsString());
  for (const auto& [id, state] : states.profiles) batch.PutOwned(keys_.Profile(id), state.SerializeAsString());
  for (const auto& [id, state] : states.drones) batch.PutOwned(keys_.Drone(id), state.SerializeAsString());
  for (const auto& [id, state] : states.spools) {
    batch.PutOwned(keys_.Spool(id.first, id.second), state.SerializeAsString());
  }
  batch.PutOwned(keys_.Ack(write.last_batch), NumberedKey("", static_cast<uint64_t>(write.acked_us)));
  batch.PutOwned(keys_.LastBatch(), NumberedKey("", write.last_batch));
  return kv_->Write(batch, true);
}

absl::Status KvRecordStore::WriteSealedChunk(uint64_t part, uint32_t index, std::string bytes) {
  KvBatch batch;
  batch.PutOwned(keys_.SealedChunk(part, index), std::move(bytes));
  return kv_->Write(batch, false);  // SealPart syncs it
}

absl::Status KvRecordStore::SealPart(Seal seal) {
  auto part = std::make_shared<Part>(std::move(seal.part));
  const std::string& profile_id = part->meta.profile_id();
  KvBatch batch;
  for (uint64_t id : seal.batches) {
    batch.Delete(keys_.ChunkBatch(id));
    batch.Delete(keys_.Unsealed(profile_id, id));
  }
  for (const auto& [id, meta] : seal.metas) batch.PutOwned(keys_.Meta(id), meta.SerializeAsString());
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckUndeleted(profile_id, seal));
  auto parts = std::make_shared<PartsByProfile>(*parts_);
  PartList& list = (*parts)[profile_id];
  auto replaced = [&](const PartPtr& old) {
    if (std::count(seal.parts.begin(), seal.parts.end(), old->meta.id()) == 0) return false;
    batch.Delete(keys_.Part(profile_id, old->meta.first_batch()));
    return true;
  };
  list.erase(std::remove_if(list.begin(), list.end(), replaced), list.end());
  batch.PutOwned(keys_.Part(profile_id, part->meta.first_batch()), part->meta.SerializeAsString());
  auto behind = std::find_if(list.begin(), list.end(), [&](const PartPtr& other) {
    return other->meta.first_batch() > part->meta.first_batch();
  });
  list.insert(behind, part);
  RETURN_IF_ERROR(kv_->Write(batch, true));
  parts_ = std::move(parts);
  return absl::OkStatus();
}

void KvRecordStore::ChangePart(const PartMeta& part, const std::function<void(Part&)>& change) {
  absl::MutexLock lock(&mu_);
  auto profile = parts_->find(part.profile_id());
  if (profile == parts_->end()) return;
  for (size_t i = 0; i < profile->second.size(); ++i) {
    if (profile->second[i]->meta.id() != part.id()) continue;
    auto changed = std::make_shared<Part>(*profile->second[i]);
    change(*changed);
    auto parts = std::make_shared<PartsByProfile>(*parts_);
    (*parts)[part.profile_id()][i] = std::move(changed);
    parts_ = std::move(parts);
    return;
  }
}

void KvRecordStore::SetFilter(const PartMeta& part, std::shared_ptr<const PartFilter> filter) {
  ChangePart(part, [&filter](Part& known) { known.filter = std::move(filter); });
}

void KvRecordStore::SetIds(const PartMeta& part, std::shared_ptr<const IdFilters> ids) {
  ChangePart(part, [&ids](Part& known) { known.ids = std::move(ids); });
}

absl::Status KvRecordStore::RemovePart(uint64_t id) {
  std::string prefix = keys_.SealedChunkPrefix(id);
  KvBatch batch;
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) batch.Delete(it->key());
  RETURN_IF_ERROR(it->status());
  return batch.empty() ? absl::OkStatus() : kv_->Write(batch, false);
}

void KvRecordStore::SetAside(uint64_t part, uint32_t index, const absl::Status& damage) const {
  std::string key = keys_.SealedChunk(part, index);
  absl::MutexLock lock(&mu_);
  absl::StatusOr<std::string> bytes = kv_->Get(key);
  if (absl::IsNotFound(bytes.status())) return;  // somebody else was first
  KvBatch batch;
  batch.Put(keys_.DamagedChunk(part, index), bytes.ok() ? *bytes : std::string());
  batch.Delete(key);
  absl::Status moved = kv_->Write(batch, true);
  LogError("a sealed chunk is damaged and was set aside",
           {{"part", absl::StrCat(part)},
            {"chunk", absl::StrCat(index)},
            {"error", std::string(damage.message())},
            {"moved", moved.ok() ? "yes" : std::string(moved.message())}});
  if (damaged_++ == 0) first_damage_ = absl::StrCat("chunk ", index, " of part ", part);
}

std::string KvRecordStore::Damage() const {
  absl::MutexLock lock(&mu_);
  if (damaged_ == 0) return "";
  return absl::StrCat(damaged_, " sealed chunks are damaged and set aside, the first: ", first_damage_,
                      "; restore the store from a backup");
}

}  // namespace chartly::aggregator
