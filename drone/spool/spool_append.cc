// The writing half of Spool: group commit, rotation, and what happens when the disk is full or lies.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "drone/spool/spool.h"

namespace chartly::drone {

absl::StatusOr<int64_t> Spool::AppendEntry(RecordHeader header, absl::string_view payload, int64_t fetched,
                                           int32_t pages, const storage::v1::Cursor* cursor) {
  if (payload.size() > kMaxPayloadBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "SPOOL_ENTRY_TOO_LARGE",
                 absl::StrCat("an entry of ", payload.size(), " bytes; at most ", kMaxPayloadBytes, " are taken"));
  }
  {
    absl::MutexLock lock(&mu_);
    RETURN_IF_ERROR(failure_);
    absl::Status written = AppendLocked(header, payload, fetched, pages, cursor);
    if (absl::IsResourceExhausted(written) && MakeRoomLocked()) {
      written = AppendLocked(header, payload, fetched, pages, cursor);
    }
    RETURN_IF_ERROR(written);
    RETURN_IF_ERROR(SyncLocked(header.seq));
  }
  Count("chartly_spool_appends_total");
  absl::MutexLock lock(&listener_mu_);
  if (listener_) listener_();
  return header.seq;
}

absl::Status Spool::AppendLocked(RecordHeader& header, absl::string_view payload, int64_t fetched, int32_t pages,
                                 const storage::v1::Cursor* cursor) {
  bool ends = header.kind == EntryKind::kRunEnd;
  int64_t limit = options_.max_bytes + (ends ? kRunEndReserveBytes : 0);
  if (cursor != nullptr) RETURN_IF_ERROR(ReserveCursorLocked(header, *cursor));
  RETURN_IF_ERROR(PrepareLocked(static_cast<int64_t>(RecordBytes(header, payload.size())), limit));
  if (!runs_->Contains(header.run_id)) {
    return Error(absl::StatusCode::kFailedPrecondition, "RUN_NOT_OPEN",
                 absl::StrCat("run ", header.run_id, " was not begun, or ended already"));
  }
  runs_->Add(fetched, pages, &header);
  absl::Status written = WriteLocked(header, payload);
  if (!written.ok()) {
    runs_->Subtract(fetched, pages, header);
    return written;
  }
  // Before the sync, so that a release that deletes this record knows of the end and of the cursor.
  if (cursor != nullptr) cursors_->Set(runs_->ProfileOf(header.run_id), *cursor, header.seq);
  if (ends) runs_->MarkEnded(header.run_id);
  return absl::OkStatus();
}

absl::Status Spool::ReserveCursorLocked(RecordHeader& header, const storage::v1::Cursor& cursor) {
  storage::v1::ProfileCursor bytes;
  bytes.set_profile_id(runs_->ProfileOf(header.run_id));
  *bytes.mutable_cursor() = cursor;
  header.cursor = bytes.SerializeAsString();
  if (header.cursor.size() > kMaxCursorBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "SPOOL_ENTRY_TOO_LARGE",
                 absl::StrCat("a cursor of ", header.cursor.size(), " bytes; at most ", kMaxCursorBytes, " are taken"));
  }
  if (!runs_->Contains(header.run_id)) return absl::OkStatus();
  absl::Status reserved = cursors_->Reserve(bytes.profile_id());
  return reserved.ok() || absl::IsResourceExhausted(reserved) ? reserved : FailLocked(reserved);
}

absl::Status Spool::PrepareLocked(int64_t record_bytes, int64_t limit) {
  while (true) {
    RETURN_IF_ERROR(failure_);
    bool rotate = !active_.valid() || (segments_.back().bytes + record_bytes > segment_bytes_ &&
                                       segments_.back().last_seq >= segments_.back().first_seq);
    int64_t needed = record_bytes + (rotate ? static_cast<int64_t>(kSegmentHeaderBytes) : 0);
    if (total_bytes_ + needed > limit) {
      return Error(absl::StatusCode::kResourceExhausted, "SPOOL_FULL",
                   absl::StrCat("the spool holds ", total_bytes_, " of ", options_.max_bytes,
                                " bytes; it waits for the aggregator, or give it more with --spool-bytes"),
                   {{"path", options_.path}});
    }
    if (!rotate) return absl::OkStatus();
    // The file of a running fdatasync must not be closed under it.
    if (!syncing_) {
      absl::Status rotated = RotateLocked();
      return rotated.ok() || absl::IsResourceExhausted(rotated) ? rotated : FailLocked(rotated);
    }
    synced_cv_.Wait(&mu_);
  }
}

// Holds the lock through the sync, so that nothing written is unsynced when it returns.
absl::Status Spool::FlushLocked() {
  while (syncing_) synced_cv_.Wait(&mu_);
  RETURN_IF_ERROR(failure_);
  if (written_seq_ == synced_seq_) return absl::OkStatus();
  if (Sync(active_.get()) != 0) return FailLocked(ErrnoError(errno, "fdatasync", options_.path));
  NoteSyncedLocked(written_seq_, segments_.back().bytes);
  synced_cv_.SignalAll();
  return absl::OkStatus();
}

void Spool::NoteSyncedLocked(int64_t seq, int64_t bytes) {
  synced_seq_ = seq;
  synced_bytes_ = bytes;
  // What the watermark says was on disk and is not there at the next open was lost. Without an fsync of its own it may
  // lag behind, but never ahead.
  Watermark next = watermark_;
  next.synced = seq;
  absl::Status saved = SaveWatermarkLocked(next, /*durable=*/false);
  if (!saved.ok()) LogWarn("watermark of the spool not written", {{"error", std::string(saved.message())}});
}

absl::Status Spool::CloseActiveLocked() {
  if (!active_.valid()) return absl::OkStatus();
  RETURN_IF_ERROR(FlushLocked());
  active_.Reset();
  return absl::OkStatus();
}

absl::Status Spool::RotateLocked() {
  RETURN_IF_ERROR(CloseActiveLocked());
  SegmentHeader header{watermark_.spool_id, watermark_.base, written_seq_ + 1};
  std::string name = SegmentName(header.first_seq);
  RETURN_IF_ERROR(WriteFileDurably(options_.path, name, EncodeSegmentHeader(header)));
  ASSIGN_OR_RETURN(active_, OpenFile(SegmentPath(header.first_seq), O_RDWR));
  // A recovered segment of the same first seq can only be an empty one, which the new file has replaced.
  if (!segments_.empty() && segments_.back().first_seq == header.first_seq) {
    total_bytes_ -= segments_.back().bytes;
    segments_.pop_back();
  }
  synced_bytes_ = static_cast<int64_t>(kSegmentHeaderBytes);
  segments_.push_back({header.first_seq, header.first_seq - 1, synced_bytes_});
  total_bytes_ += synced_bytes_;
  return absl::OkStatus();
}

absl::Status Spool::WriteLocked(RecordHeader& header, absl::string_view payload) {
  Segment& segment = segments_.back();
  header.seq = written_seq_ + 1;
  std::string head = EncodeRecordHeader(header, payload);
  absl::Status written = WriteAt(active_.get(), segment.bytes, {head, payload}, SegmentPath(segment.first_seq));
  if (!written.ok()) {
    // The part that was written goes, or the next record would lie behind rubbish.
    if (::ftruncate(active_.get(), segment.bytes) != 0 || !absl::IsResourceExhausted(written))
      return FailLocked(written);
    return written;
  }
  int64_t size = static_cast<int64_t>(head.size() + payload.size());
  segment.bytes += size;
  total_bytes_ += size;
  segment.last_seq = written_seq_ = header.seq;
  SetGauge("chartly_spool_bytes", static_cast<double>(HeldBytesLocked()));
  return absl::OkStatus();
}

absl::Status Spool::SyncLocked(int64_t seq) {
  while (synced_seq_ < seq) {
    RETURN_IF_ERROR(failure_);
    if (syncing_) {
      synced_cv_.Wait(&mu_);
      continue;
    }
    // This caller syncs for all that have written so far; those that write meanwhile are the next round.
    syncing_ = true;
    int fd = active_.get();
    int64_t target = written_seq_;
    int64_t target_bytes = segments_.back().bytes;
    mu_.Unlock();
    int error = Sync(fd) == 0 ? 0 : errno;
    mu_.Lock();
    syncing_ = false;
    synced_cv_.SignalAll();
    if (error != 0) return FailLocked(ErrnoError(error, "fdatasync", options_.path));
    NoteSyncedLocked(target, target_bytes);
  }
  return absl::OkStatus();
}

int Spool::Sync(int fd) const { return options_.sync_for_test ? options_.sync_for_test(fd) : ::fdatasync(fd); }

}  // namespace chartly::drone
