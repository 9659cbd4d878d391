#include "control/aggregator/kv_record_reads.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
absl::Status StoreDamaged(absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT",
               absl::StrCat(what, " in the record store does not parse; restore the store from a backup"));
}

template <typename Base>
absl::StatusOr<uint64_t> KvRecordReads<Base>::LastBatch() const {
  absl::StatusOr<std::string> value = kv().Get(keys().LastBatch());
  if (absl::IsNotFound(value.status())) return 0;
  RETURN_IF_ERROR(value.status());
  return ReadBigEndian64(*value);
}

// Times never go backwards with batch numbers, so the last one that is early enough is found by halving.
template <typename Base>
absl::StatusOr<uint64_t> KvRecordReads<Base>::LastBatchAt(int64_t acked_us) const {
  ASSIGN_OR_RETURN(uint64_t last, LastBatch());
  std::string prefix = keys().AckPrefix();
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  uint64_t found = 0;
  for (uint64_t low = 1, high = last + 1; low < high;) {
    uint64_t middle = low + (high - low) / 2;
    it->Seek(NumberedKey(prefix, middle));
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

template <typename Base>
absl::StatusOr<int64_t> KvRecordReads<Base>::LastAckedUs() const {
  std::string prefix = keys().AckPrefix();
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  it->SeekForPrev(PrefixEnd(prefix));
  RETURN_IF_ERROR(it->status());
  if (!it->Valid() || !absl::StartsWith(it->key(), prefix)) return 0;
  return static_cast<int64_t>(ReadBigEndian64(it->value()));
}

template <typename Base>
template <typename State>
absl::StatusOr<std::optional<State>> KvRecordReads<Base>::ReadState(const std::string& key) const {
  absl::StatusOr<std::string> value = kv().Get(key);
  if (absl::IsNotFound(value.status())) return std::optional<State>();
  RETURN_IF_ERROR(value.status());
  State state;
  if (!state.ParseFromString(*value)) return StoreDamaged("a state");
  return std::optional<State>(std::move(state));
}

template <typename Base>
template <typename State>
absl::StatusOr<std::map<std::string, State>> KvRecordReads<Base>::ReadStates(const std::string& prefix) const {
  std::map<std::string, State> states;
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    State& state = states[std::string(KeyName(it->key(), prefix.size()))];
    absl::string_view value = it->value();
    if (!state.ParseFromArray(value.data(), static_cast<int>(value.size()))) return StoreDamaged("a state");
  }
  RETURN_IF_ERROR(it->status());
  return states;
}

template <typename Base>
absl::StatusOr<std::optional<RunState>> KvRecordReads<Base>::Run(const std::string& run_id) const {
  return this->template ReadState<RunState>(keys().Run(run_id));
}
template <typename Base>
absl::StatusOr<std::optional<ProfileState>> KvRecordReads<Base>::Profile(const std::string& profile_id) const {
  return this->template ReadState<ProfileState>(keys().Profile(profile_id));
}
template <typename Base>
absl::StatusOr<std::optional<DroneState>> KvRecordReads<Base>::Drone(const std::string& drone_id) const {
  return this->template ReadState<DroneState>(keys().Drone(drone_id));
}
template <typename Base>
absl::StatusOr<std::optional<SpoolState>> KvRecordReads<Base>::Spool(const std::string& drone_id,
                                                                     const std::string& spool_id) const {
  return this->template ReadState<SpoolState>(keys().Spool(drone_id, spool_id));
}
template <typename Base>
absl::StatusOr<std::map<std::string, ProfileState>> KvRecordReads<Base>::Profiles() const {
  return this->template ReadStates<ProfileState>(keys().ProfilePrefix());
}
template <typename Base>
absl::StatusOr<std::map<std::string, DroneState>> KvRecordReads<Base>::Drones() const {
  return this->template ReadStates<DroneState>(keys().DronePrefix());
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanSpools(const SpoolVisitor& visit) const {
  const std::string prefix = keys().SpoolPrefix();
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    SpoolState spool;
    if (!spool.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) return StoreDamaged("a spool");
    const absl::string_view names = it->key().substr(prefix.size());
    const size_t end = names.find('\0');
    if (end == absl::string_view::npos) return StoreDamaged("the name of a spool");
    if (!visit(std::string(names.substr(0, end)), std::string(KeyName(names, end + 1)), spool)) break;
  }
  return it->status();
}

template <typename Base>
absl::StatusOr<std::string> KvRecordReads<Base>::ChunkBatch(uint64_t chunk) const {
  absl::StatusOr<std::string> batch = kv().Get(keys().ChunkBatch(chunk));
  if (batch.ok()) return batch;
  return Annotate(batch.status(), absl::StrCat("chunk ", chunk));
}

template <typename Base>
absl::StatusOr<ChunkMeta> KvRecordReads<Base>::Meta(uint64_t chunk) const {
  ASSIGN_OR_RETURN(std::optional<ChunkMeta> meta, this->template ReadState<ChunkMeta>(keys().Meta(chunk)));
  if (!meta.has_value()) return StoreDamaged(absl::StrCat("chunk ", chunk, " (its description is missing)"));
  return *std::move(meta);
}

template <typename Base>
absl::StatusOr<bool> KvRecordReads<Base>::HasBatch(uint64_t chunk) const {
  absl::StatusOr<std::string> meta = kv().Get(keys().Meta(chunk));
  if (absl::IsNotFound(meta.status())) return false;
  RETURN_IF_ERROR(meta.status());
  return true;
}

template <typename Base>
std::string KvRecordReads<Base>::ChunkPrefix(const std::string& profile_id) const {
  return profile_id.empty() ? keys().MetaPrefix() : keys().ProfileChunkPrefix(profile_id);
}

// The description of the chunk at an entry that ScanChunks walks over.
template <typename Base>
absl::StatusOr<ChunkMeta> KvRecordReads<Base>::MetaAt(const KvIterator& it) const {
  if (it.value().empty()) return Meta(KeyNumber(it.key()));  // an entry of the index by profile
  ChunkMeta meta;
  if (!meta.ParseFromArray(it.value().data(), static_cast<int>(it.value().size())))
    return StoreDamaged("a description");
  return meta;
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanChunks(const std::string& profile_id, uint64_t first,
                                             const ChunkVisitor& visit) const {
  std::string prefix = ChunkPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(NumberedKey(prefix, first)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    ASSIGN_OR_RETURN(ChunkMeta meta, MetaAt(*it));
    ASSIGN_OR_RETURN(bool more, visit(KeyNumber(it->key()), meta));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanChunksDown(const std::string& profile_id, uint64_t first,
                                                 const ChunkVisitor& visit) const {
  std::string prefix = ChunkPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->SeekForPrev(NumberedKey(prefix, first)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Prev()) {
    ASSIGN_OR_RETURN(ChunkMeta meta, MetaAt(*it));
    ASSIGN_OR_RETURN(bool more, visit(KeyNumber(it->key()), meta));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanRows(const RowScan& scan, const RowsVisitor& visit) const {
  std::string prefix = keys().SupersededPrefix(scan.profile_id);
  std::unique_ptr<KvIterator> superseded = kv().NewIterator();
  if (!scan.all_versions) superseded->Seek(NumberedKey(prefix, scan.first));
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
  return ScanUnsealed(scan.profile_id, scan.first, [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    if (chunk > scan.as_of) return false;
    RowSet rows = StoredRows(meta);
    if (!scan.all_versions) RETURN_IF_ERROR(keep_newest(chunk, rows));
    return rows.empty() ? true : visit(chunk, meta, rows);
  });
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanRun(const std::string& run_id, uint64_t first, uint64_t as_of,
                                          const RunVisitor& visit) const {
  std::string prefix = keys().RunRowsPrefix(run_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  it->Seek(NumberedKey(prefix, first));
  while (it->Valid() && absl::StartsWith(it->key(), prefix)) {
    // Several batches of a run may have given rows of the same chunk.
    uint64_t chunk = ReadBigEndian64(it->key().substr(prefix.size()));
    RowSet rows;
    std::string chunk_prefix = NumberedKey(prefix, chunk);
    for (; it->Valid() && absl::StartsWith(it->key(), chunk_prefix); it->Next()) {
      if (KeyNumber(it->key()) > as_of) continue;
      ASSIGN_OR_RETURN(RowSet some, RowSet::FromRanges(it->value()));
      rows.AddAll(some);
    }
    if (rows.empty()) continue;
    // Rows of other runs that it repeats may be deleted.
    ASSIGN_OR_RETURN(bool is_there, HasBatch(chunk));
    if (!is_there) continue;
    ASSIGN_OR_RETURN(bool more, visit(chunk, rows));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanRuns(const RunStateVisitor& visit) const {
  const std::string prefix = keys().RunPrefix();
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    RunState run;
    if (!run.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) return StoreDamaged("a run");
    ASSIGN_OR_RETURN(bool more, visit(std::string(KeyName(it->key(), prefix.size())), run));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanQuarantine(const std::string& profile_id, const std::string& run_id,
                                                 absl::string_view after, const QuarantineVisitor& visit) const {
  std::string run_prefix;
  if (!run_id.empty()) {
    ASSIGN_OR_RETURN(std::optional<RunState> run, Run(run_id));
    // A run is of one profile, and says nothing to who asks for another.
    if (!run.has_value() || (!profile_id.empty() && run->profile_id() != profile_id)) return absl::OkStatus();
    run_prefix = StoreKeys::QuarantineRunPrefix(run->ordinal());
  }
  // With a profile and no run the index by profile leads, else the rows themselves.
  bool by_profile = !profile_id.empty() && run_id.empty();
  std::string base = by_profile ? keys().ProfileQuarantine(profile_id, "") : keys().Quarantine("");
  std::string prefix = base + run_prefix;
  std::string start = after.empty() ? prefix : absl::StrCat(base, after, absl::string_view("\0", 1));
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(std::max(start, prefix)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    absl::string_view id = it->key().substr(base.size());
    ASSIGN_OR_RETURN(std::optional<StoredQuarantine> row,
                     this->template ReadState<StoredQuarantine>(keys().Quarantine(id)));
    if (!row.has_value()) return StoreDamaged("a quarantined row");
    if (!profile_id.empty() && row->profile_id() != profile_id) continue;
    ASSIGN_OR_RETURN(bool more, visit(id, *row));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
PartList KvRecordReads<Base>::Parts(const std::string& profile_id) const {
  std::shared_ptr<const PartsByProfile> all = parts();
  auto found = all->find(profile_id);
  return found == all->end() ? PartList() : found->second;
}

template <typename Base>
absl::StatusOr<std::string> KvRecordReads<Base>::SealedChunk(uint64_t part, uint32_t index) const {
  absl::StatusOr<std::string> bytes = kv().Get(keys().SealedChunk(part, index));
  if (!absl::IsNotFound(bytes.status())) return bytes;
  return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT",
               absl::StrCat("chunk ", index, " of part ", part,
                            " was damaged and is set aside; restore the store from a backup"));
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanUnsealed(const std::string& profile_id, uint64_t first,
                                               const ChunkVisitor& visit) const {
  std::string prefix = profile_id.empty() ? keys().UnsealedPrefix() : keys().UnsealedPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(profile_id.empty() ? prefix : NumberedKey(prefix, first));
       it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    uint64_t chunk = KeyNumber(it->key());
    ASSIGN_OR_RETURN(ChunkMeta meta, Meta(chunk));
    ASSIGN_OR_RETURN(bool more, visit(chunk, meta));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
absl::StatusOr<typename KvRecordReads<Base>::RowsByBatch> KvRecordReads<Base>::Superseded(const std::string& profile_id,
                                                                                          uint64_t first, uint64_t last,
                                                                                          uint64_t as_of) const {
  RowsByBatch rows;
  std::string prefix = keys().SupersededPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(NumberedKey(prefix, first)); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    uint64_t of = ReadBigEndian64(it->key().substr(prefix.size()));
    if (of > last) break;
    if (KeyNumber(it->key()) > as_of) continue;
    ASSIGN_OR_RETURN(RowSet gone, RowSet::FromRanges(it->value()));
    rows[of].AddAll(gone);
  }
  RETURN_IF_ERROR(it->status());
  return rows;
}

template <typename Base>
absl::StatusOr<bool> KvRecordReads<Base>::AnySuperseded(
    const std::string& profile_id, const std::function<bool(uint64_t of, uint64_t by)>& fits) const {
  const std::string prefix = keys().SupersededPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    if (fits(ReadBigEndian64(it->key().substr(prefix.size())), KeyNumber(it->key()))) return true;
  }
  RETURN_IF_ERROR(it->status());
  return false;
}

template <typename Base>
absl::Status KvRecordReads<Base>::ScanDeletions(const std::string& profile_id, const DeletionVisitor& visit) const {
  const std::string prefix = profile_id.empty() ? keys().DeletionPrefix() : keys().DeletionPrefix(profile_id);
  std::unique_ptr<KvIterator> it = kv().NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    StoredDeletion deletion;
    if (!deletion.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return StoreDamaged("a deletion");
    }
    ASSIGN_OR_RETURN(bool more, visit(KeyNumber(it->key()), deletion));
    if (!more) return absl::OkStatus();
  }
  return it->status();
}

template <typename Base>
absl::StatusOr<std::optional<LegalHold>> KvRecordReads<Base>::Hold(const std::string& profile_id) const {
  return this->template ReadState<LegalHold>(keys().Hold(profile_id));
}

template <typename Base>
absl::StatusOr<std::map<std::string, LegalHold>> KvRecordReads<Base>::Holds() const {
  return this->template ReadStates<LegalHold>(keys().HoldPrefix());
}

template class KvRecordReads<RecordReader>;
template class KvRecordReads<RecordStore>;

}  // namespace chartly::aggregator
