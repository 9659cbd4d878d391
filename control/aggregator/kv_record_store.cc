#include "control/aggregator/kv_record_store.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/aggregator/store_upgrade.h"

namespace chartly::aggregator {
namespace {

constexpr char kFormat[] = "2";
constexpr char kFormatWithoutVersions[] = "1";

absl::Status Damaged(absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT",
               absl::StrCat(what, " in the record store does not parse; restore the store from a backup"));
}

std::string Key(absl::string_view prefix, uint64_t number) {
  std::string key(prefix);
  AppendBigEndian64(key, number);
  return key;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KvRecordStore>> KvRecordStore::Open(const std::string& path, const KvOptions& options,
                                                                   absl::string_view tenant) {
  ASSIGN_OR_RETURN(std::unique_ptr<KvStore> kv, OpenKvStore(path, options));
  std::unique_ptr<KvRecordStore> store(new KvRecordStore(std::move(kv), tenant));
  RETURN_IF_ERROR(Annotate(store->AdmitFormat(), path));
  return store;
}

absl::Status KvRecordStore::AdmitFormat() {
  absl::StatusOr<std::string> format = kv_->Get(keys_.Format());
  if (format.ok() && *format == kFormat) return absl::OkStatus();
  if (format.ok() && *format == kFormatWithoutVersions) {
    RETURN_IF_ERROR(AddVersions(*this, *kv_, keys_));
  } else if (format.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT_UNKNOWN",
                 absl::StrCat("the record store has format ", *format, ", this program knows ", kFormat,
                              "; use the version that wrote it"));
  }
  if (!format.ok() && !absl::IsNotFound(format.status())) return format.status();
  KvBatch batch;
  batch.Put(keys_.Format(), kFormat);
  return kv_->Write(batch, true);
}

absl::Status KvRecordStore::Append(StoreWrite write) {
  KvBatch batch;
  for (StoreWrite::Chunk& chunk : write.chunks) {
    batch.PutOwned(keys_.ChunkBatch(chunk.id), std::move(chunk.batch));
    batch.PutOwned(keys_.Meta(chunk.id), chunk.meta.SerializeAsString());
    batch.PutOwned(keys_.ProfileChunk(chunk.meta.profile_id(), chunk.id), std::string());
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
  for (const auto& [run_id, state] : write.runs) batch.PutOwned(keys_.Run(run_id), state.SerializeAsString());
  for (const auto& [id, state] : write.profiles) batch.PutOwned(keys_.Profile(id), state.SerializeAsString());
  for (const auto& [id, state] : write.drones) batch.PutOwned(keys_.Drone(id), state.SerializeAsString());
  for (const auto& [id, state] : write.spools) {
    batch.PutOwned(keys_.Spool(id.first, id.second), state.SerializeAsString());
  }
  batch.PutOwned(keys_.Ack(write.last_batch), Key("", static_cast<uint64_t>(write.acked_us)));
  batch.PutOwned(keys_.LastBatch(), Key("", write.last_batch));
  return kv_->Write(batch, true);
}

absl::StatusOr<uint64_t> KvRecordStore::LastBatch() const {
  absl::StatusOr<std::string> value = kv_->Get(keys_.LastBatch());
  if (absl::IsNotFound(value.status())) return 0;
  RETURN_IF_ERROR(value.status());
  return ReadBigEndian64(*value);
}

// Times never go backwards with batch numbers, so the last one that is early enough is found by halving.
absl::StatusOr<uint64_t> KvRecordStore::LastBatchAt(int64_t acked_us) const {
  ASSIGN_OR_RETURN(uint64_t last, LastBatch());
  std::string prefix = keys_.AckPrefix();
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  uint64_t found = 0;
  for (uint64_t low = 1, high = last + 1; low < high;) {
    uint64_t middle = low + (high - low) / 2;
    it->Seek(Key(prefix, middle));
    bool early = it->Valid() && absl::StartsWith(it->key(), prefix) &&
                 static_cast<int64_t>(ReadBigEndian64(it->value())) <= acked_us;
    RETURN_IF_ERROR(it->status());
    if (early) {
      found = KeyNumber(it->key());
      low = found + 1;
    } else {
      high = middle;
    }
  }
  return found;
}

absl::StatusOr<int64_t> KvRecordStore::LastAckedUs() const {
  std::string prefix = keys_.AckPrefix();
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  it->SeekForPrev(PrefixEnd(prefix));
  RETURN_IF_ERROR(it->status());
  if (!it->Valid() || !absl::StartsWith(it->key(), prefix)) return 0;
  return static_cast<int64_t>(ReadBigEndian64(it->value()));
}

template <typename State>
absl::StatusOr<std::optional<State>> KvRecordStore::ReadState(const std::string& key) const {
  absl::StatusOr<std::string> value = kv_->Get(key);
  if (absl::IsNotFound(value.status())) return std::optional<State>();
  RETURN_IF_ERROR(value.status());
  State state;
  if (!state.ParseFromString(*value)) return Damaged("a state");
  return std::optional<State>(std::move(state));
}

template <typename State>
absl::StatusOr<std::map<std::string, State>> KvRecordStore::ReadStates(const std::string& prefix) const {
  std::map<std::string, State> states;
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    State& state = states[std::string(KeyName(it->key(), prefix.size()))];
    absl::string_view value = it->value();
    if (!state.ParseFromArray(value.data(), static_cast<int>(value.size()))) return Damaged("a state");
  }
  RETURN_IF_ERROR(it->status());
  return states;
}

absl::StatusOr<std::optional<RunState>> KvRecordStore::Run(const std::string& run_id) const {
  return ReadState<RunState>(keys_.Run(run_id));
}
absl::StatusOr<std::optional<ProfileState>> KvRecordStore::Profile(const std::string& profile_id) const {
  return ReadState<ProfileState>(keys_.Profile(profile_id));
}
absl::StatusOr<std::optional<DroneState>> KvRecordStore::Drone(const std::string& drone_id) const {
  return ReadState<DroneState>(keys_.Drone(drone_id));
}
absl::StatusOr<std::optional<SpoolState>> KvRecordStore::Spool(const std::string& drone_id,
                                                               const std::string& spool_id) const {
  return ReadState<SpoolState>(keys_.Spool(drone_id, spool_id));
}
absl::StatusOr<std::map<std::string, ProfileState>> KvRecordStore::Profiles() const {
  return ReadStates<ProfileState>(keys_.ProfilePrefix());
}
absl::StatusOr<std::map<std::string, DroneState>> KvRecordStore::Drones() const {
  return ReadStates<DroneState>(keys_.DronePrefix());
}

absl::StatusOr<std::string> KvRecordStore::ChunkBatch(uint64_t chunk) const {
  absl::StatusOr<std::string> batch = kv_->Get(keys_.ChunkBatch(chunk));
  if (batch.ok()) return batch;
  return Annotate(batch.status(), absl::StrCat("chunk ", chunk));
}

absl::StatusOr<ChunkMeta> KvRecordStore::Meta(uint64_t chunk) const {
  ASSIGN_OR_RETURN(std::optional<ChunkMeta> meta, ReadState<ChunkMeta>(keys_.Meta(chunk)));
  if (!meta.has_value()) return Damaged(absl::StrCat("chunk ", chunk, " (its description is missing)"));
  return *std::move(meta);
}

std::string KvRecordStore::ChunkPrefix(const std::string& profile_id) const {
  return profile_id.empty() ? keys_.MetaPrefix() : keys_.ProfileChunkPrefix(profile_id);
}

// The description of the chunk at an entry that ScanChunks walks over.
absl::StatusOr<ChunkMeta> KvRecordStore::MetaAt(const KvIterator& it) const {
  if (it.value().empty()) return Meta(KeyNumber(it.key()));  // an entry of the index by profile
  ChunkMeta meta;
  if (!meta.ParseFromArray(it.value().data(), static_cast<int>(it.value().size()))) return Damaged("a description");
  return meta;
}

absl::Status KvRecordStore::ScanChunks(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const {
  std::string prefix = ChunkPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(Key(prefix, first)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    ASSIGN_OR_RETURN(ChunkMeta meta, MetaAt(*it));
    ASSIGN_OR_RETURN(bool more, visit(KeyNumber(it->key()), meta));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

absl::Status KvRecordStore::ScanChunksDown(const std::string& profile_id, uint64_t first,
                                           const ChunkVisitor& visit) const {
  std::string prefix = ChunkPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->SeekForPrev(Key(prefix, first)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Prev()) {
    ASSIGN_OR_RETURN(ChunkMeta meta, MetaAt(*it));
    ASSIGN_OR_RETURN(bool more, visit(KeyNumber(it->key()), meta));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

absl::Status KvRecordStore::ScanRows(const RowScan& scan, const RowsVisitor& visit) const {
  std::string prefix = keys_.SupersededPrefix(scan.profile_id);
  std::unique_ptr<KvIterator> superseded = kv_->NewIterator();
  if (!scan.all_versions) superseded->Seek(Key(prefix, scan.first));
  // Takes out of `rows` what was not newest any more; both walks are in order of chunks.
  auto keep_newest = [&](uint64_t chunk, RowSet& rows) -> absl::Status {
    for (; superseded->Valid() && absl::StartsWith(superseded->key(), prefix); superseded->Next()) {
      uint64_t of = ReadBigEndian64(superseded->key().substr(prefix.size()));
      if (of > chunk) break;
      if (of < chunk || KeyNumber(superseded->key()) > scan.as_of) continue;
      ASSIGN_OR_RETURN(RowSet gone, RowSet::FromRanges(superseded->value()));
      rows.RemoveAll(gone);
    }
    return superseded->status();
  };
  return ScanChunks(scan.profile_id, scan.first, [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    if (chunk > scan.as_of) return false;
    RowSet rows = StoredRows(meta);
    if (!scan.all_versions) RETURN_IF_ERROR(keep_newest(chunk, rows));
    return rows.empty() ? true : visit(chunk, meta, rows);
  });
}

absl::Status KvRecordStore::ScanRun(const std::string& run_id, uint64_t first, uint64_t as_of,
                                    const RunVisitor& visit) const {
  std::string prefix = keys_.RunRowsPrefix(run_id);
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  it->Seek(Key(prefix, first));
  while (it->Valid() && absl::StartsWith(it->key(), prefix)) {
    // Several batches of a run may have given rows of the same chunk.
    uint64_t chunk = ReadBigEndian64(it->key().substr(prefix.size()));
    RowSet rows;
    std::string chunk_prefix = Key(prefix, chunk);
    for (; it->Valid() && absl::StartsWith(it->key(), chunk_prefix); it->Next()) {
      if (KeyNumber(it->key()) > as_of) continue;
      ASSIGN_OR_RETURN(RowSet some, RowSet::FromRanges(it->value()));
      rows.AddAll(some);
    }
    if (rows.empty()) continue;
    ASSIGN_OR_RETURN(bool more, visit(chunk, rows));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

absl::Status KvRecordStore::ScanRuns(const RunStateVisitor& visit) const {
  const std::string prefix = keys_.RunPrefix();
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    RunState run;
    if (!run.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) return Damaged("a run");
    ASSIGN_OR_RETURN(bool more, visit(std::string(KeyName(it->key(), prefix.size())), run));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

absl::Status KvRecordStore::ScanQuarantine(const std::string& profile_id, const std::string& run_id,
                                           absl::string_view after, const QuarantineVisitor& visit) const {
  std::string run_prefix;
  if (!run_id.empty()) {
    ASSIGN_OR_RETURN(std::optional<RunState> run, Run(run_id));
    if (!run.has_value()) return absl::OkStatus();
    run_prefix = StoreKeys::QuarantineRunPrefix(run->ordinal());
  }
  // With a profile and no run the index by profile leads, else the rows themselves.
  bool by_profile = !profile_id.empty() && run_id.empty();
  std::string base = by_profile ? keys_.ProfileQuarantine(profile_id, "") : keys_.Quarantine("");
  std::string prefix = base + run_prefix;
  std::string start = after.empty() ? prefix : absl::StrCat(base, after, absl::string_view("\0", 1));
  std::unique_ptr<KvIterator> it = kv_->NewIterator();
  for (it->Seek(std::max(start, prefix)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    absl::string_view id = it->key().substr(base.size());
    ASSIGN_OR_RETURN(std::optional<StoredQuarantine> row, ReadState<StoredQuarantine>(keys_.Quarantine(id)));
    if (!row.has_value()) return Damaged("a quarantined row");
    if (!profile_id.empty() && row->profile_id() != profile_id) continue;
    ASSIGN_OR_RETURN(bool more, visit(id, *row));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

}  // namespace chartly::aggregator
