#include "control/aggregator/commit_group.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/aggregator/chunk_metas.h"

namespace chartly::aggregator {
namespace {

// Puts the state of `key` in `states`, the first time: the one that is on its way to the store, else the one there,
// empty if there is none.
template <typename State, typename Key, typename Read>
absl::Status Load(std::map<Key, State>& states, const std::map<Key, State>& unwritten, const Key& key, Read&& read) {
  if (states.count(key) != 0) return absl::OkStatus();
  if (auto known = unwritten.find(key); known != unwritten.end()) {
    states[key] = known->second;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::optional<State> stored, read());
  states[key] = stored.has_value() ? *std::move(stored) : State();
  return absl::OkStatus();
}

absl::Status Fenced(const SpoolPosition& position, int64_t newest) {
  return Error(absl::StatusCode::kFailedPrecondition, "EPOCH_FENCED",
               absl::StrCat("drone ", position.drone_id, " speaks with epoch ", position.epoch, " but epoch ", newest,
                            " took over; enrol this one again"),
               {{"drone", position.drone_id}});
}

absl::Status Gap(const SpoolPosition& position, int64_t durable) {
  return Error(absl::StatusCode::kOutOfRange, "INGEST_GAP",
               absl::StrCat("entry ", position.seq, " of drone ", position.drone_id, " came where ", durable + 1,
                            " is next; connect again and send from there"),
               {{"drone", position.drone_id}});
}

}  // namespace

size_t CommitRequest::Size() const {
  size_t bytes = 1024;
  for (const PreparedBatch& batch : batches) bytes += batch.Size();
  for (const StoreWrite::Redriven& entry : redriven) bytes += entry.id.size() + entry.row.ByteSizeLong();
  return bytes;
}

CommitGroup::CommitGroup(const RecordStore& store, const StoreStates& unwritten, DedupeIndex& index,
                         SealedIndex& sealed, uint64_t last_batch)
    : store_(store), unwritten_(unwritten), index_(index), sealed_(sealed) {
  write_.last_batch = last_batch;
}

StoreWrite CommitGroup::TakeWrite(int64_t acked_us) {
  write_.acked_us = acked_us;
  for (StoreWrite::Chunk& chunk : write_.chunks) chunk.meta.set_acked_us(acked_us);
  return std::move(write_);
}

CommitResult CommitGroup::Stage(CommitRequest request) {
  CommitResult result;
  const size_t first_batch = next_batch_;
  next_batch_ += request.batches.size();
  result.status = TryStage(request, first_batch, result);
  return result;
}

absl::Status CommitGroup::TryStage(CommitRequest& request, size_t first_batch, CommitResult& result) {
  if (request.position.has_value()) {
    ASSIGN_OR_RETURN(bool is_new, AdmitPosition(*request.position, result));
    if (!is_new) return absl::OkStatus();
  }
  RETURN_IF_ERROR(LoadStates(request));
  std::vector<const RecordIds*> ids;
  for (const PreparedBatch& batch : request.batches) ids.push_back(&batch.ids);
  RETURN_IF_ERROR(index_.Reserve(ids));
  RETURN_IF_ERROR(look_up_);
  // From here on nothing fails.
  dirty_ = true;
  for (size_t i = 0; i < request.batches.size(); ++i) {
    ApplyBatch(std::move(request.batches[i]), looked_up_[first_batch + i].found, result);
  }
  if (request.run_end.has_value()) ApplyRunEnd(*std::move(request.run_end));
  for (StoreWrite::Redriven& redriven : request.redriven) ApplyRedriven(std::move(redriven));
  if (request.position.has_value()) {
    const SpoolPosition& position = *request.position;
    write_.states.spools[{position.drone_id, position.spool_id}].set_seq(position.seq);
    result.durable_seq = position.seq;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CommitGroup::AdmitPosition(const SpoolPosition& position, CommitResult& result) {
  std::pair<std::string, std::string> spool(position.drone_id, position.spool_id);
  RETURN_IF_ERROR(LoadDrone(position.drone_id));
  RETURN_IF_ERROR(Load(write_.states.spools, unwritten_.spools, spool,
                       [&] { return store_.Spool(position.drone_id, position.spool_id); }));
  DroneState& drone = write_.states.drones[position.drone_id];
  result.durable_seq = write_.states.spools[spool].seq();
  if (position.epoch < drone.epoch()) return Fenced(position, drone.epoch());
  if (position.epoch > drone.epoch()) {
    drone.set_epoch(position.epoch);
    dirty_ = true;
  }
  NoteLoss(position, write_.states.spools[spool]);
  if (position.seq <= result.durable_seq) return false;
  if (position.seq != result.durable_seq + 1) return Gap(position, result.durable_seq);
  return true;
}

// Whoever restores an older state of this store should be told what is missing of it.
void CommitGroup::NoteLoss(const SpoolPosition& position, SpoolState& spool) {
  if (position.acked_seq <= std::max(spool.seq(), spool.acked_seq())) return;
  spool.set_acked_seq(position.acked_seq);
  dirty_ = true;
  LogError("a drone was told that entries are stored which are not here; this store is older than that",
           {{"drone", position.drone_id},
            {"spool", position.spool_id},
            {"stored", absl::StrCat(spool.seq())},
            {"acked", absl::StrCat(position.acked_seq)}});
}

absl::Status CommitGroup::LoadRun(const std::string& run_id) {
  return Load(write_.states.runs, unwritten_.runs, run_id, [&] { return store_.Run(run_id); });
}

absl::Status CommitGroup::LoadProfile(const std::string& profile_id) {
  return Load(write_.states.profiles, unwritten_.profiles, profile_id, [&] { return store_.Profile(profile_id); });
}

absl::Status CommitGroup::LoadDrone(const std::string& drone_id) {
  return Load(write_.states.drones, unwritten_.drones, drone_id, [&] { return store_.Drone(drone_id); });
}

absl::Status CommitGroup::LoadStates(const CommitRequest& request) {
  for (const PreparedBatch& batch : request.batches) {
    const BatchHeader& header = batch.header;
    RETURN_IF_ERROR(LoadRun(header.run_id()));
    RETURN_IF_ERROR(LoadProfile(header.profile_id()));
    if (!header.drone_id().empty()) RETURN_IF_ERROR(LoadDrone(header.drone_id()));
  }
  if (request.run_end.has_value()) RETURN_IF_ERROR(LoadRun(request.run_end->run_id()));
  for (const StoreWrite::Redriven& redriven : request.redriven) RETURN_IF_ERROR(LoadProfile(redriven.row.profile_id()));
  return absl::OkStatus();
}

void CommitGroup::LookUp(const std::vector<const CommitRequest*>& requests) {
  looked_up_.clear();
  next_batch_ = 0;
  // Batches of one time decide each other's rows like those that are stored; an older one among them may need to know
  // what is sealed although a newer version is not.
  std::map<std::string, std::pair<int64_t, int64_t>> times;
  for (const CommitRequest* request : requests) {
    for (const PreparedBatch& batch : request->batches) {
      const int64_t observed_us = batch.header.observed_us();
      auto [known, added] = times.try_emplace(batch.header.profile_id(), observed_us, observed_us);
      known->second = {std::min(known->second.first, observed_us), std::max(known->second.second, observed_us)};
    }
  }
  for (const CommitRequest* request : requests) {
    for (const PreparedBatch& batch : request->batches) {
      SealedQuestion& question = looked_up_.emplace_back();
      question.batch = &batch;
      if (!sealed_.MayHaveKeysOf(batch)) continue;
      const auto& [oldest, newest] = times[batch.header.profile_id()];
      question.rows = index_.Undecided(batch.ids, oldest == newest ? oldest : std::numeric_limits<int64_t>::min());
    }
  }
  look_up_ = sealed_.Find(looked_up_);
}

RunState& CommitGroup::TouchRun(const std::string& run_id, const std::string& profile_id, const std::string& drone_id) {
  RunState& run = write_.states.runs[run_id];
  if (run.ordinal() == 0) {
    run.set_ordinal(write_.last_batch);
    run.set_profile_id(profile_id);
    run.set_drone_id(drone_id);
  }
  return run;
}

void CommitGroup::ApplyBatch(PreparedBatch batch, const SealedVersions& sealed, CommitResult& result) {
  const BatchHeader& header = batch.header;
  uint64_t number = ++write_.last_batch;
  const auto ids = std::make_shared<const RecordIds>(std::move(batch.ids));
  DedupeOutcome outcome = index_.Apply(ids, header.observed_us(), number, sealed);
  auto duplicates = static_cast<int64_t>(outcome.duplicates.size());

  RunState& run = TouchRun(header.run_id(), header.profile_id(), header.drone_id());
  run.set_batches(run.batches() + 1);
  run.set_stored(run.stored() + outcome.stored_count);
  run.set_duplicate(run.duplicate() + duplicates);
  run.set_filtered(run.filtered() + header.filtered());
  run.set_quarantined(run.quarantined() + header.quarantined_size());
  ProfileState& profile = write_.states.profiles[header.profile_id()];
  profile.set_records(profile.records() + outcome.stored_count);
  profile.set_quarantined(profile.quarantined() + header.quarantined_size());
  if (outcome.stored_count > 0) profile.set_batches(profile.batches() + 1);
  if (!header.drone_id().empty()) {
    DroneState& drone = write_.states.drones[header.drone_id()];
    drone.set_records(drone.records() + outcome.stored_count);
  }
  result.stored += outcome.stored_count;
  result.duplicate += duplicates;
  result.stored_batches += outcome.stored_count > 0 ? 1 : 0;

  FileQuarantine(header, run.ordinal(), number);
  FileRunRows(header, number, outcome);
  FileSuperseded(header, number, outcome);
  if (outcome.stored_count == 0) return;
  unsealed_.emplace_back(number, std::make_shared<UnsealedBatches::Batch>(ids, std::move(batch.ranges)));
  FileChunk(batch, number, outcome);
}

void CommitGroup::FileRunRows(const BatchHeader& header, uint64_t batch, const DedupeOutcome& outcome) {
  std::map<uint64_t, RowSet> chunks = RowsByChunk(outcome.duplicates);
  // A row may repeat another one of the same batch.
  if (outcome.stored_count > 0) chunks[batch].AddAll(outcome.stored);
  for (auto& [chunk, set] : chunks) write_.run_rows.push_back({header.run_id(), chunk, batch, std::move(set)});
}

void CommitGroup::FileSuperseded(const BatchHeader& header, uint64_t batch, const DedupeOutcome& outcome) {
  for (auto& [chunk, set] : RowsByChunk(outcome.superseded)) {
    write_.superseded.push_back({header.profile_id(), chunk, batch, std::move(set)});
  }
}

void CommitGroup::FileChunk(PreparedBatch& batch, uint64_t number, const DedupeOutcome& outcome) {
  const BatchHeader& header = batch.header;
  StoreWrite::Chunk chunk;
  chunk.id = number;
  chunk.meta.set_profile_id(header.profile_id());
  chunk.meta.set_run_id(header.run_id());
  chunk.meta.set_drone_id(header.drone_id());
  chunk.meta.set_observed_us(header.observed_us());
  chunk.meta.set_rows(header.rows());
  chunk.meta.set_stored(outcome.stored_count);
  if (outcome.stored_count != header.rows()) chunk.meta.set_stored_rows(outcome.stored.ToBits(header.rows()));
  chunk.meta.set_size_bytes(static_cast<int64_t>(batch.bytes.size()));
  SetOrigin(header, chunk.meta);
  chunk.batch = std::move(batch.bytes);
  write_.chunks.push_back(std::move(chunk));
}

void CommitGroup::FileQuarantine(const BatchHeader& header, uint64_t run_ordinal, uint64_t batch) {
  for (int i = 0; i < header.quarantined_size(); ++i) {
    StoreWrite::Quarantine entry;
    entry.run_ordinal = run_ordinal;
    entry.batch = batch;
    entry.index = static_cast<uint32_t>(i);
    entry.row.set_profile_id(header.profile_id());
    entry.row.set_run_id(header.run_id());
    entry.row.set_observed_us(header.observed_us());
    entry.row.set_drone_id(header.drone_id());
    entry.row.mutable_origin()->set_revision(header.revision());
    entry.row.mutable_origin()->set_source_uri(header.source_uri());
    entry.row.mutable_origin()->set_payload_sha256(header.payload_sha256());
    entry.row.mutable_origin()->set_captured(header.captured());
    *entry.row.mutable_row() = header.quarantined(i);
    write_.quarantine.push_back(std::move(entry));
  }
}

void CommitGroup::ApplyRedriven(StoreWrite::Redriven redriven) {
  ProfileState& profile = write_.states.profiles[redriven.row.profile_id()];
  profile.set_quarantined(std::max<int64_t>(profile.quarantined() - 1, 0));
  write_.redriven.push_back(std::move(redriven));
}

void CommitGroup::ApplyRunEnd(v1::RunEnd end) {
  ++write_.last_batch;
  RunState& run = TouchRun(end.run_id(), end.profile_id(), end.drone_id());
  if (!run.has_end()) *run.mutable_end() = std::move(end);
}

}  // namespace chartly::aggregator
