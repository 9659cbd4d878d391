#include "drone/spool/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::drone {
namespace {

constexpr char kLockName[] = "LOCK";
constexpr char kWatermarkName[] = "watermark";
constexpr char kRunsName[] = "runs";
constexpr char kCursorsName[] = "cursors";
constexpr size_t kMaxEndedAtOpen = 10'000;
constexpr int64_t kKeptBytes = int64_t{1} << 20;
constexpr int64_t kMinSegmentBytes = int64_t{64} << 10;

// Small spools get small segments: space comes back a whole segment at a time.
int64_t SegmentBytesFor(const SpoolOptions& options) {
  return std::min(options.segment_bytes, std::max(kMinSegmentBytes, options.max_bytes / 8));
}

absl::StatusOr<FileDescriptor> LockDirectory(const std::string& path) {
  std::string lock_path = absl::StrCat(path, "/", kLockName);
  ASSIGN_OR_RETURN(FileDescriptor lock, OpenFile(lock_path, O_RDWR | O_CREAT));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return ErrnoError(errno, "lock", lock_path);
  return Error(absl::StatusCode::kFailedPrecondition, "SPOOL_LOCKED",
               absl::StrCat(path,
                            " is in use by another process; stop that drone, or give this one a --data folder of "
                            "its own"),
               {{"path", path}});
}

bool IsZero(const std::string& bytes) { return bytes.find_first_not_of('\0') == std::string::npos; }

}  // namespace

Spool::Spool(SpoolOptions options) : options_(std::move(options)), segment_bytes_(SegmentBytesFor(options_)) {}

Spool::~Spool() = default;

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(SpoolOptions options) {
  std::unique_ptr<Spool> spool(new Spool(std::move(options)));
  RETURN_IF_ERROR(Annotate(spool->Recover(), absl::StrCat("open spool ", spool->options_.path)));
  return spool;
}

absl::Status Spool::Recover() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(MakeDirectory(options_.path));
  ASSIGN_OR_RETURN(lock_, LockDirectory(options_.path));
  ASSIGN_OR_RETURN(uint64_t place, PlaceOf(lock_.get(), options_.path));
  int64_t damaged_files = 0;
  RETURN_IF_ERROR(OpenTables(&damaged_files));
  RETURN_IF_ERROR(ReadWatermark());
  // A copy may be of a moment between an entry and the note that it was written, or the other way round.
  if (watermark_.place != place) watermark_.synced = 0;
  RETURN_IF_ERROR(RecoverEntries());
  RETURN_IF_ERROR(CheckOwner());
  RETURN_IF_ERROR(NotePlace(place));
  ReportRecovery(damaged_files);
  SetGauge("chartly_spool_bytes", static_cast<double>(HeldBytesLocked()));
  return absl::OkStatus();
}

absl::Status Spool::RecoverEntries() {
  SegmentHeader newest;
  int64_t previous = watermark_.released;
  bool hole = false;
  auto on_record = [this, &previous, &hole](const RecordHeader& record)
                       ABSL_NO_THREAD_SAFETY_ANALYSIS { OnRecovered(record, &previous, &hole); };
  RecoveryLimits limits{watermark_.released, watermark_.synced, watermark_file_ != nullptr};
  ASSIGN_OR_RETURN(segments_, RecoverSegments(options_.path, limits, on_record, &newest, &recovery_));
  if (watermark_file_ == nullptr) RETURN_IF_ERROR(MakeWatermark(newest));
  for (const Segment& segment : segments_) total_bytes_ += segment.bytes;
  // A seq is never given twice, even if the entries that had it are gone.
  int64_t last = std::max(segments_.empty() ? 0 : segments_.back().last_seq, watermark_.released);
  recovered_seq_ = std::max({last, watermark_.acked, watermark_.synced});
  written_seq_ = synced_seq_ = recovered_seq_;
  // What was acked had been on disk. What is gone of it arrived, but it held the counts of its runs.
  if (watermark_.acked > last) {
    OnTailGone({last + 1, watermark_.acked});
    acked_gone_ = last = watermark_.acked;
  }
  bool tail_lost = recovered_seq_ > last;
  if (tail_lost) {
    damaged_runs_.OnLost({last + 1, recovered_seq_});
    OnTailGone({last + 1, recovered_seq_});
  }
  RETURN_IF_ERROR(ReopenRuns());
  RETURN_IF_ERROR(runs_->RemoveEnded());
  return hole || tail_lost ? SettleCursors() : absl::OkStatus();
}

void Spool::OnTailGone(SeqRange range) {
  for (const v1::RunEnd& run : runs_->Open()) damaged_runs_.Add(run.run_id(), range);
  runs_->ForgetNumbers();
}

// A run that left records but neither an end nor a file lost one of the two. It is open again, so that it gets an end.
absl::Status Spool::ReopenRuns() {
  for (const auto& [run_id, record] : damaged_runs_.unended()) {
    const std::optional<SeqRange>& lost = damaged_runs_.last_lost();
    bool end_acked = record.seq < acked_gone_ && !lost;
    if (runs_->Contains(run_id) || end_acked) continue;
    ASSIGN_OR_RETURN(v1::RunEnd run, DescribeRun(record));
    if (lost) damaged_runs_.Add(run_id, *lost);
    absl::Status begun = runs_->Begin(run);
    if (begun.ok()) continue;
    // Without room for its file the next process does it; what is no run cannot be ended.
    LogWarn("run not opened again", {{"run", run_id}, {"error", std::string(begun.message())}});
    if (!absl::IsResourceExhausted(begun) && !absl::IsInvalidArgument(begun)) return begun;
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::RunEnd> Spool::DescribeRun(const RecordHeader& record) const {
  v1::RunEnd run;
  run.set_run_id(record.run_id);
  run.set_fetched(record.run_fetched);
  run.set_pages(record.run_pages);
  for (const Segment& segment : segments_) {
    if (record.seq < segment.first_seq || record.seq > segment.last_seq) continue;
    ASSIGN_OR_RETURN(SegmentReader reader, SegmentReader::Open(SegmentPath(segment.first_seq)));
    ASSIGN_OR_RETURN(SegmentReader::Result result, reader.Next(record.seq, record.seq));
    if (result == SegmentReader::Result::kDamaged) {
      // Another one comes first.
      ASSIGN_OR_RETURN(bool found, reader.Resync(record.seq, record.seq));
      if (!found) break;
      ASSIGN_OR_RETURN(result, reader.Next(record.seq, record.seq));
    }
    if (result != SegmentReader::Result::kRecord) break;
    const std::string& payload = reader.record().payload;
    if (record.kind == EntryKind::kRunEnd) return run.ParseFromString(payload) ? run : v1::RunEnd();
    absl::StatusOr<BatchHeader> header = Batch::ParseHeader(payload);
    if (!header.ok()) break;
    run.set_profile_id(header->profile_id());
    run.set_revision(header->revision());
    run.set_drone_id(header->drone_id());
  }
  return run;
}

// Rows of one drone are refused from another, so such a spool would never get empty.
absl::Status Spool::CheckOwner() const {
  if (options_.drone_id.empty() || !first_held_) return absl::OkStatus();
  ASSIGN_OR_RETURN(v1::RunEnd run, DescribeRun(*first_held_));
  const std::string& owner = run.drone_id();
  if (owner.empty() || owner == options_.drone_id) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "SPOOL_OF_ANOTHER_DRONE",
               absl::StrCat("it holds rows of drone ", owner, " that are not sent yet; start it with --id ", owner,
                            ", or give drone ", options_.drone_id, " a --data folder of its own"),
               {{"path", options_.path}});
}

// A folder that was copied, or put back from a copy, is another spool from here on: what the other one has appended
// since then lies under the same numbers.
absl::Status Spool::NotePlace(uint64_t place) {
  if (watermark_.place == place) return absl::OkStatus();
  Watermark next = watermark_;
  next.place = place;
  next.synced = recovered_seq_;
  if (watermark_.place != 0) {
    next.fork = watermark_.fork > 0 ? std::min(watermark_.fork, recovered_seq_) : recovered_seq_;
    LogWarn(
        "this spool is a copy of another one; it takes an identity of its own once the aggregator has what both hold",
        {{"path", options_.path}, {"last_common_seq", absl::StrCat(next.fork)}});
  }
  return SaveWatermarkLocked(next, /*durable=*/true);
}

void Spool::ReportRecovery(int64_t damaged_files) {
  int64_t lost = damaged_files + (recovery_.watermark_damaged ? 1 : 0);
  for (const auto& [first, end] : recovery_.lost) lost += end - first + 1;
  if (lost > 0) Count("chartly_spool_damaged_records_total", static_cast<double>(lost));
  if (recovery_.torn_bytes > 0) Count("chartly_spool_torn_tails_total");
}

absl::Status Spool::OpenTables(int64_t* damaged) {
  ASSIGN_OR_RETURN(RunTable runs, RunTable::Open(absl::StrCat(options_.path, "/", kRunsName), damaged));
  runs_ = std::make_unique<RunTable>(std::move(runs));
  ASSIGN_OR_RETURN(CursorTable cursors, CursorTable::Open(absl::StrCat(options_.path, "/", kCursorsName), damaged));
  cursors_ = std::make_unique<CursorTable>(std::move(cursors));
  return absl::OkStatus();
}

void Spool::OnRecovered(const RecordHeader& record, int64_t* previous, bool* hole) {
  // Without a watermark the first record on disk may well be the first that was not released.
  bool known = watermark_file_ != nullptr || *previous > 0;
  // What is acked is missing here and nowhere else.
  int64_t first_lost = std::max(*previous, watermark_.acked) + 1;
  if (known && record.seq > *previous + 1) acked_gone_ = std::min(record.seq - 1, watermark_.acked);
  if (known && record.seq > first_lost) {
    damaged_runs_.OnLost({first_lost, record.seq - 1});
    *hole = *hole || record.seq > watermark_.repaired;
  }
  *previous = record.seq;
  if (!first_held_ && record.seq > watermark_.released) first_held_ = record;
  runs_->Recover(record);
  cursors_->Recover(record.seq, record.cursor, *hole);
  damaged_runs_.OnRecord(record);
  if (record.kind != EntryKind::kRunEnd) return;
  v1::RunEnd& end = ended_at_open_.emplace_back();
  end.set_run_id(record.run_id);
  end.set_fetched(record.run_fetched);
  end.set_pages(record.run_pages);
  if (ended_at_open_.size() > kMaxEndedAtOpen) ended_at_open_.pop_front();
}

// Cursors behind a hole claim rows that were in it. From here on new ones count again.
absl::Status Spool::SettleCursors() {
  cursors_->Settle(recovered_seq_);
  absl::Status persisted = cursors_->Persist();
  // Until there is room, what was repaired is not noted, and the next process comes to the same result.
  if (absl::IsResourceExhausted(persisted)) return absl::OkStatus();
  RETURN_IF_ERROR(persisted);
  Watermark next = watermark_;
  next.repaired = recovered_seq_;
  return SaveWatermarkLocked(next, /*durable=*/true);
}

absl::Status Spool::ReadWatermark() {
  absl::StatusOr<std::unique_ptr<SlotFile>> file = SlotFile::Open(options_.path, kWatermarkName);
  if (file.ok()) {
    absl::StatusOr<Watermark> watermark = DecodeWatermark((*file)->content());
    if (watermark.ok()) {
      watermark_ = *std::move(watermark);
      watermark_file_ = *std::move(file);
      return absl::OkStatus();
    }
    file = watermark.status();
  }
  if (!absl::IsNotFound(file.status()) && !absl::IsDataLoss(file.status())) return file.status();
  recovery_.watermark_damaged = absl::IsDataLoss(file.status());
  return absl::OkStatus();
}

absl::Status Spool::MakeWatermark(const SegmentHeader& newest) {
  if (recovery_.watermark_damaged) {
    LogError("watermark of the spool is damaged; taken from the newest segment", {{"path", options_.path}});
  }
  // The segments know their identity; what was acked is asked of the aggregator again.
  bool known = newest.spool_id.size() == kSpoolIdBytes && !IsZero(newest.spool_id);
  int64_t before = segments_.empty() ? 0 : segments_.front().first_seq - 1;
  watermark_.spool_id = known ? newest.spool_id : RandomSpoolId();
  watermark_.base = known ? newest.base : before;
  watermark_.acked = watermark_.released = before;
  ASSIGN_OR_RETURN(watermark_file_, SlotFile::Create(options_.path, kWatermarkName, EncodeWatermark(watermark_)));
  return absl::OkStatus();
}

absl::Status Spool::BeginRun(const v1::RunEnd& run) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  v1::RunEnd info;
  info.set_run_id(run.run_id());
  info.set_profile_id(run.profile_id());
  info.set_revision(run.revision());
  info.set_drone_id(run.drone_id());
  if (run.has_started_at()) *info.mutable_started_at() = run.started_at();
  absl::Status begun = runs_->Begin(info);
  if (absl::IsResourceExhausted(begun) && MakeRoomLocked()) begun = runs_->Begin(info);
  bool disk_failed = absl::IsUnavailable(begun) || absl::IsFailedPrecondition(begun);
  return disk_failed ? FailLocked(begun) : begun;
}

absl::StatusOr<int64_t> Spool::Append(const std::string& run_id, absl::string_view batch, int64_t fetched,
                                      int32_t pages, const storage::v1::Cursor* cursor) {
  RecordHeader header;
  header.kind = EntryKind::kBatch;
  header.run_id = run_id;
  return AppendEntry(std::move(header), batch, fetched, pages, cursor);
}

absl::StatusOr<int64_t> Spool::EndRun(const v1::RunEnd& end, const storage::v1::Cursor* cursor) {
  RecordHeader header;
  header.kind = EntryKind::kRunEnd;
  header.run_id = end.run_id();
  ASSIGN_OR_RETURN(int64_t seq, AppendEntry(std::move(header), end.SerializeAsString(), 0, 0, cursor));
  absl::MutexLock lock(&mu_);
  // The end is durable: a file that cannot be removed now goes at the next open.
  absl::Status removed = runs_->Remove(end.run_id());
  if (!removed.ok()) LogWarn("run file not removed", {{"error", std::string(removed.message())}});
  return seq;
}

std::vector<v1::RunEnd> Spool::OpenRuns() const {
  absl::MutexLock lock(&mu_);
  return runs_->Open();
}

std::optional<storage::v1::Cursor> Spool::CursorOf(const std::string& profile_id) const {
  absl::MutexLock lock(&mu_);
  return cursors_->Get(profile_id);
}

absl::Status Spool::Ack(int64_t seq) {
  absl::MutexLock lock(&mu_);
  if (seq <= watermark_.acked) return absl::OkStatus();
  Watermark next = watermark_;
  next.acked = seq;
  return SaveWatermarkLocked(next, /*durable=*/false);
}

absl::Status Spool::Release(int64_t seq) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  return ReleaseLocked(seq);
}

absl::Status Spool::ReleaseLocked(int64_t seq) {
  int64_t released = std::max(watermark_.released, std::min(seq, synced_seq_));
  bool deletes = DeletesFrontLocked(released);
  // The records that carry the counts of open runs and the cursors are about to go. Those may be noted only once all
  // records they come from are on disk, and the watermark must be before anything is deleted: then every crash between
  // is harmless.
  if (deletes) {
    RETURN_IF_ERROR(FlushLocked());
    absl::Status persisted = runs_->Persist();
    if (!persisted.ok()) return absl::IsResourceExhausted(persisted) ? persisted : FailLocked(persisted);
    // A cursor that finds no room is no reason to keep the disk full: without it rows are fetched again, none is lost.
    persisted = cursors_->Persist();
    if (!persisted.ok() && !absl::IsResourceExhausted(persisted)) return FailLocked(persisted);
  }
  if (!deletes && released == watermark_.released) return absl::OkStatus();
  Watermark next = watermark_;
  next.released = std::max(next.released, released);
  next.acked = std::max(next.acked, next.released);
  RETURN_IF_ERROR(SaveWatermarkLocked(next, deletes));
  if (deletes) return DeleteLocked(next.released);
  SetGauge("chartly_spool_bytes", static_cast<double>(HeldBytesLocked()));
  return absl::OkStatus();
}

// The segment that is written to goes only if that is worth the syncs of making a new one.
bool Spool::DeletesFrontLocked(int64_t released) const {
  if (segments_.empty() || segments_.front().last_seq > released) return false;
  return segments_.size() > 1 || room_wanted_ || segments_.front().bytes >= std::min(segment_bytes_ / 4, kKeptBytes);
}

// Says whether there is more room than before.
bool Spool::MakeRoomLocked() {
  room_wanted_ = true;
  return DeletesFrontLocked(watermark_.released) && ReleaseLocked(watermark_.released).ok();
}

absl::Status Spool::DeleteLocked(int64_t seq) {
  while (DeletesFrontLocked(seq)) {
    const Segment segment = segments_.front();
    if (segments_.size() == 1) active_.Reset();
    std::string path = SegmentPath(segment.first_seq);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FailLocked(ErrnoError(errno, "unlink", path));
    total_bytes_ -= segment.bytes;
    segments_.pop_front();
  }
  room_wanted_ = false;
  SetGauge("chartly_spool_bytes", static_cast<double>(HeldBytesLocked()));
  room_cv_.SignalAll();
  absl::Status synced = SyncDirectory(options_.path);
  return synced.ok() ? synced : FailLocked(synced);
}

int64_t Spool::HeldBytesLocked() const {
  bool released = !segments_.empty() && segments_.back().last_seq <= watermark_.released;
  return released ? total_bytes_ - segments_.back().bytes : total_bytes_;
}

absl::Status Spool::ForgetCursors() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  cursors_->Forget(written_seq_);
  return cursors_->Persist();
}

absl::StatusOr<SpoolIdentity> Spool::Rebase(int64_t base) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  Watermark next = watermark_;
  next.spool_id = RandomSpoolId();
  next.base = base;
  // Nothing of the new identity is acked; what is still held before `base` need not be sent.
  next.acked = base;
  next.released = std::min(next.released, base);
  next.fork = 0;
  RETURN_IF_ERROR(SaveWatermarkLocked(next, /*durable=*/true));
  // If the watermark gets lost, the newest segment tells who the spool is. Without room for one it would say who it
  // was.
  absl::Status rotated = RotateLocked();
  if (!rotated.ok() && !absl::IsResourceExhausted(rotated)) return FailLocked(rotated);
  return SpoolIdentity{absl::BytesToHexString(watermark_.spool_id), watermark_.base};
}

absl::Status Spool::SaveWatermarkLocked(const Watermark& watermark, bool durable) {
  absl::Status saved = watermark_file_->Write(EncodeWatermark(watermark), durable);
  if (absl::IsResourceExhausted(saved)) return saved;
  if (!saved.ok()) return FailLocked(saved);
  watermark_ = watermark;
  return absl::OkStatus();
}

absl::Status Spool::FailLocked(const absl::Status& cause) {
  if (!failure_.ok()) return failure_;
  failure_ = Error(absl::StatusCode::kDataLoss, "SPOOL_FAILED",
                   absl::StrCat("the spool stopped, as the disk did not keep what was written (", cause.message(),
                                "); check the disk of ", options_.path, " and start the drone again"),
                   {{"path", options_.path}});
  LogError("spool failed", {{"error", std::string(cause.message())}, {"path", options_.path}});
  synced_cv_.SignalAll();
  room_cv_.SignalAll();
  if (options_.on_failure) options_.on_failure();
  return failure_;
}

SpoolIdentity Spool::identity() const {
  absl::MutexLock lock(&mu_);
  return SpoolIdentity{absl::BytesToHexString(watermark_.spool_id), watermark_.base};
}

int64_t Spool::fork_seq() const {
  absl::MutexLock lock(&mu_);
  return watermark_.fork;
}

std::optional<SeqRange> Spool::DamageOf(const std::string& run_id) const {
  absl::MutexLock lock(&mu_);
  return damaged_runs_.Find(run_id);
}

int64_t Spool::acked_seq() const {
  absl::MutexLock lock(&mu_);
  return watermark_.acked;
}

int64_t Spool::last_seq() const {
  absl::MutexLock lock(&mu_);
  return synced_seq_;
}

int64_t Spool::bytes() const {
  absl::MutexLock lock(&mu_);
  return HeldBytesLocked();
}

absl::Status Spool::health() const {
  absl::MutexLock lock(&mu_);
  return failure_;
}

void Spool::AwaitRoom(absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  if (failure_.ok()) room_cv_.WaitWithTimeout(&mu_, timeout);
}

void Spool::SetListener(std::function<void()> listener) {
  absl::MutexLock lock(&listener_mu_);
  listener_ = std::move(listener);
}

std::string Spool::SegmentPath(int64_t first_seq) const {
  return absl::StrCat(options_.path, "/", SegmentName(first_seq));
}

}  // namespace chartly::drone
