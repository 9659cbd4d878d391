#include "control/aggregator/store_inspector.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "chartly/storage/v1/records.pb.h"
#include "common/batch/batch.h"
#include "common/chunk/chunk.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/aggregator/page_token.h"

namespace chartly::aggregator {
namespace {

using storage::v1::CheckCursor;

// What one call reads.
constexpr int64_t kPieceBytes = int64_t{64} << 20;
constexpr int64_t kPieceChunks = 2000;
constexpr int kLostMax = 1000;

std::string TokenOf(const CheckCursor& cursor) { return ToHex(cursor.SerializeAsString()); }

absl::StatusOr<CheckCursor> ParseToken(const std::string& token) {
  CheckCursor cursor;
  const bool is_hex = std::all_of(token.begin(), token.end(), absl::ascii_isxdigit);
  if (is_hex && token.size() % 2 == 0 && cursor.ParseFromString(absl::HexStringToBytes(token))) return cursor;
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token is not one that this check gave; leave it out to begin at the start");
}

// One profile under a check, as far as a piece goes.
class ProfileCheck {
 public:
  ProfileCheck(const RecordReader& view, const std::string& profile_id, v1::VerifyStoreResponse& answer)
      : view_(view), profile_id_(profile_id), answer_(answer) {}

  // Goes on behind the cursor; says whether the profile is done. The cursor is moved along.
  absl::StatusOr<bool> Run(const ProfileState& state, CheckCursor& cursor) {
    if (cursor.profile_id() != profile_id_) {
      cursor.Clear();
      cursor.set_profile_id(profile_id_);
      RETURN_IF_ERROR(CheckLedger(state));
    }
    if (!cursor.sealed()) {
      ASSIGN_OR_RETURN(const bool done, CheckUnsealed(cursor));
      if (!done) return false;
      cursor.set_sealed(true);
      cursor.set_batch(0);
    }
    return CheckParts(cursor);
  }

 private:
  bool full() const { return answer_.bytes() >= kPieceBytes || answer_.chunks() >= kPieceChunks; }

  void Fault(uint64_t first, uint64_t last, absl::string_view message) {
    v1::StoreFault& fault = *answer_.add_faults();
    fault.set_profile_id(profile_id_);
    fault.set_first_batch(static_cast<int64_t>(first));
    fault.set_last_batch(static_cast<int64_t>(last));
    fault.set_message(std::string(message));
  }

  void CountChunk(uint64_t rows, size_t bytes) {
    answer_.set_chunks(answer_.chunks() + 1);
    answer_.set_rows(answer_.rows() + static_cast<int64_t>(rows));
    answer_.set_bytes(answer_.bytes() + static_cast<int64_t>(bytes));
  }

  // That the batches are those that the counters say, and each has a place.
  absl::Status CheckLedger(const ProfileState& state) {
    std::set<uint64_t> unsealed;
    RETURN_IF_ERROR(view_.ScanUnsealed(profile_id_, 0, [&](uint64_t batch, const ChunkMeta&) -> absl::StatusOr<bool> {
      unsealed.insert(batch);
      return true;
    }));
    const PartList parts = view_.Parts(profile_id_);
    std::vector<uint64_t> in_parts(parts.size());
    size_t part = 0;
    int64_t records = 0;
    int64_t batches = 0;
    RETURN_IF_ERROR(
        view_.ScanChunks(profile_id_, 0, [&](uint64_t batch, const ChunkMeta& meta) -> absl::StatusOr<bool> {
          records += meta.stored();
          ++batches;
          while (part < parts.size() && parts[part]->meta.last_batch() < batch) ++part;
          if (unsealed.count(batch) > 0) return true;
          if (part == parts.size() || batch < parts[part]->meta.first_batch()) {
            Fault(batch, batch, absl::StrCat("the ", meta.stored(), " rows of the batch are in no part"));
          } else {
            in_parts[part] += meta.stored();
          }
          return true;
        }));
    for (size_t i = 0; i < parts.size(); ++i) {
      const PartMeta& meta = parts[i]->meta;
      if (in_parts[i] == meta.rows() - meta.deleted_rows()) continue;
      Fault(meta.first_batch(), meta.last_batch(),
            absl::StrCat("the part has ", meta.rows() - meta.deleted_rows(), " rows, its batches have ", in_parts[i]));
    }
    if (records != state.records() || batches != state.batches()) {
      Fault(0, 0,
            absl::StrCat("the ledger counts ", state.records(), " records in ", state.batches(), " batches, there are ",
                         records, " in ", batches));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> CheckUnsealed(CheckCursor& cursor) {
    bool done = true;
    RETURN_IF_ERROR(view_.ScanUnsealed(profile_id_, cursor.batch(),
                                       [&](uint64_t batch, const ChunkMeta& meta) -> absl::StatusOr<bool> {
                                         cursor.set_batch(batch);
                                         done = !full();
                                         if (done) CheckBatch(batch, meta);
                                         return done;
                                       }));
    return done;
  }

  void CheckBatch(uint64_t number, const ChunkMeta& meta) {
    absl::StatusOr<std::string> bytes = view_.ChunkBatch(number);
    if (!bytes.ok()) return Fault(number, number, bytes.status().message());
    CountChunk(meta.rows(), bytes->size());
    absl::StatusOr<Batch> batch = Batch::Parse(*bytes);
    if (!batch.ok()) return Fault(number, number, batch.status().message());
    if (batch->header().rows() != meta.rows()) {
      Fault(number, number, absl::StrCat("the batch has ", batch->header().rows(), " rows instead of ", meta.rows()));
    }
  }

  absl::StatusOr<bool> CheckParts(CheckCursor& cursor) {
    for (const PartPtr& part : view_.Parts(profile_id_)) {
      const PartMeta& meta = part->meta;
      if (meta.last_batch() < cursor.batch()) continue;
      // Another part may have taken these batches in since the call before.
      const bool same = cursor.part() == meta.id();
      for (uint32_t index = same ? cursor.chunk() : 0; index < static_cast<uint32_t>(meta.chunks_size()); ++index) {
        cursor.set_batch(meta.first_batch());
        cursor.set_part(meta.id());
        cursor.set_chunk(index);
        if (full()) return false;
        CheckChunk(meta, index);
      }
      cursor.set_batch(meta.last_batch() + 1);
    }
    return true;
  }

  void CheckChunk(const PartMeta& part, uint32_t index) {
    auto fault = [&](absl::string_view message) {
      Fault(part.first_batch(), part.last_batch(),
            absl::StrCat("chunk ", index, " of part ", part.id(), ": ", message));
    };
    absl::StatusOr<std::string> bytes = view_.SealedChunk(part.id(), index);
    if (!bytes.ok()) return fault(bytes.status().message());
    const uint32_t rows = part.chunks(static_cast<int>(index)).rows();
    CountChunk(rows, bytes->size());
    absl::StatusOr<ChunkReader> reader = ChunkReader::Open(*bytes);
    if (!reader.ok()) return fault(reader.status().message());
    if (reader->rows() != rows) return fault(absl::StrCat("it has ", reader->rows(), " rows instead of ", rows));
    absl::StatusOr<ColumnSet> columns = reader->DecodeAll();
    if (!columns.ok()) return fault(columns.status().message());
  }

  const RecordReader& view_;
  const std::string& profile_id_;
  v1::VerifyStoreResponse& answer_;
};

}  // namespace

absl::StatusOr<v1::ProfileStats> StoreInspector::StatsOf(const RecordReader& view, const std::string& profile_id,
                                                         const ProfileState& state) const {
  v1::ProfileStats stats;
  stats.set_profile_id(profile_id);
  stats.set_records(state.records());
  stats.set_batches(state.batches());
  stats.set_quarantined(state.quarantined());
  int64_t oldest = std::numeric_limits<int64_t>::max();
  int64_t newest = std::numeric_limits<int64_t>::min();
  RETURN_IF_ERROR(view.ScanChunks(profile_id, 0, [&](uint64_t, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    oldest = std::min(oldest, meta.observed_us());
    newest = std::max(newest, meta.observed_us());
    return true;
  }));
  if (oldest <= newest) {
    *stats.mutable_oldest_fetch_time() = ToTimestamp(absl::FromUnixMicros(oldest));
    *stats.mutable_newest_fetch_time() = ToTimestamp(absl::FromUnixMicros(newest));
  }
  RETURN_IF_ERROR(view.ScanUnsealed(profile_id, 0, [&](uint64_t, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    stats.set_unsealed_rows(stats.unsealed_rows() + meta.stored());
    stats.set_size_bytes(stats.size_bytes() + meta.size_bytes());
    return true;
  }));
  for (const PartPtr& part : view.Parts(profile_id)) {
    stats.set_parts(stats.parts() + 1);
    stats.set_deleted_rows(stats.deleted_rows() + static_cast<int64_t>(part->meta.deleted_rows()));
    for (const SealedChunkMeta& chunk : part->meta.chunks()) {
      stats.set_size_bytes(stats.size_bytes() + chunk.size_bytes());
    }
  }
  ASSIGN_OR_RETURN(const std::optional<LegalHold> hold, view.Hold(profile_id));
  stats.set_legal_hold(hold.has_value());
  return stats;
}

absl::StatusOr<v1::StoreStats> StoreInspector::Stats(const v1::GetStoreStatsRequest& request) const {
  const std::unique_ptr<RecordReader> view = store_.View();
  v1::StoreStats stats;
  ASSIGN_OR_RETURN(const auto profiles, view->Profiles());
  for (const auto& [profile_id, state] : profiles) {
    if (!request.profile_id().empty() && profile_id != request.profile_id()) continue;
    ASSIGN_OR_RETURN(*stats.add_profiles(), StatsOf(*view, profile_id, state));
  }
  ASSIGN_OR_RETURN(const uint64_t last_batch, view->LastBatch());
  stats.set_last_batch(static_cast<int64_t>(last_batch));
  stats.set_damage(store_.Damage());
  RETURN_IF_ERROR(
      view->ScanSpools([&](const std::string& drone_id, const std::string& spool_id, const SpoolState& spool) {
        if (spool.acked_seq() <= spool.seq()) return true;
        v1::LostEntries& lost = *stats.add_lost_entries();
        lost.set_drone_id(drone_id);
        lost.set_spool_id(spool_id);
        lost.set_first_seq(spool.seq() + 1);
        lost.set_last_seq(spool.acked_seq());
        return stats.lost_entries_size() < kLostMax;
      }));
  return stats;
}

absl::StatusOr<v1::VerifyStoreResponse> StoreInspector::Verify(const v1::VerifyStoreRequest& request) const {
  ASSIGN_OR_RETURN(CheckCursor cursor, ParseToken(request.page_token()));
  const std::unique_ptr<RecordReader> view = store_.View();
  ASSIGN_OR_RETURN(const auto profiles, view->Profiles());
  v1::VerifyStoreResponse answer;
  for (auto profile = profiles.lower_bound(cursor.profile_id()); profile != profiles.end(); ++profile) {
    if (!request.profile_id().empty() && profile->first != request.profile_id()) continue;
    ASSIGN_OR_RETURN(const bool done, ProfileCheck(*view, profile->first, answer).Run(profile->second, cursor));
    if (done) continue;
    answer.set_next_page_token(TokenOf(cursor));
    break;
  }
  return answer;
}

}  // namespace chartly::aggregator
