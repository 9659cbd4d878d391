// A Spool keeps what a drone has fetched on its disk until the aggregator has it for good: batches and ends of runs, in
// order, each with a number (seq) that grows by one. An entry is on disk when its Append returns (fdatasync, shared by
// callers that wait at the same time). docs/formats/spool.md gives the files.
//
// Thread-safe. One Spool owns its folder; a second opener gets FailedPrecondition (SPOOL_LOCKED).
//
// A full spool or a full disk is ResourceExhausted (SPOOL_FULL): nothing was written, the spool stays usable, and
// AwaitRoom waits for space. After a failed fsync, or when a record that was sound is not any more, the disk cannot be
// believed: everything that writes is refused with DataLoss (SPOOL_FAILED) until the process starts anew and checks
// what is there. Its owner should end it.
#ifndef CHARTLY_DRONE_SPOOL_SPOOL_H_
#define CHARTLY_DRONE_SPOOL_SPOOL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/cursor.pb.h"
#include "chartly/v1/aggregator.pb.h"
#include "drone/spool/cursor_table.h"
#include "drone/spool/damaged_runs.h"
#include "drone/spool/file.h"
#include "drone/spool/recovery.h"
#include "drone/spool/run_table.h"
#include "drone/spool/segment.h"
#include "drone/spool/slot_file.h"
#include "drone/spool/watermark.h"

namespace chartly::drone {

struct SpoolOptions {
  std::string path;                      // made if absent
  std::string drone_id;                  // whose rows it holds; another drone cannot send them. Empty: not checked
  int64_t max_bytes = int64_t{1} << 30;  // of all segment files
  int64_t segment_bytes = int64_t{16} << 20;
  std::function<void()> on_failure;          // called once when health() stops being OK; must not use the spool
  std::function<int(int fd)> sync_for_test;  // instead of fdatasync of segments
};

struct SpoolEntry {
  int64_t seq = 0;
  EntryKind kind = EntryKind::kBatch;
  std::string payload;  // a packed batch, or a serialized v1::RunEnd
};

// Who the spool is to the aggregator: entry `seq` of this disk is number `seq - base` of the spool `id`.
struct SpoolIdentity {
  std::string id;  // 32 hex digits
  int64_t base = 0;
};

class Spool {
 public:
  // Checks every record. Damage is reported (recovery()), logged and counted, and never keeps the spool from opening.
  // FailedPrecondition: SPOOL_LOCKED, SPOOL_VERSION_UNKNOWN, or SPOOL_OF_ANOTHER_DRONE if that one has unsent entries.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(SpoolOptions options);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Makes the run durable before it starts: run_id, profile_id, revision, drone_id and started_at are taken.
  // AlreadyExists (RUN_EXISTS) if it is open.
  absl::Status BeginRun(const v1::RunEnd& run);
  // Makes `batch` durable and returns its seq. `fetched` and `pages` are what it adds to its run.
  // `cursor`, if there is one, becomes that of the run's profile in the same write: it is on disk with the batch or not
  // at all. FailedPrecondition (RUN_NOT_OPEN), InvalidArgument (SPOOL_ENTRY_TOO_LARGE), SPOOL_FULL, SPOOL_FAILED.
  absl::StatusOr<int64_t> Append(const std::string& run_id, absl::string_view batch, int64_t fetched, int32_t pages = 0,
                                 const storage::v1::Cursor* cursor = nullptr);
  // Appends the end of a run, which is then no longer open. May use kRunEndReserveBytes past max_bytes, so that runs
  // can end when the spool is full. Cursor and codes as of Append; on failure the run stays open.
  absl::StatusOr<int64_t> EndRun(const v1::RunEnd& end, const storage::v1::Cursor* cursor = nullptr);
  // How far the source of the profile was read; nothing if no run said so yet, or if entries were lost to damage since:
  // a cursor behind a loss does not count, so that the next run fetches again what was lost.
  std::optional<storage::v1::Cursor> CursorOf(const std::string& profile_id) const;
  // Runs that began and have not ended, with what is durable of them (fetched, pages). Right after Open these are the
  // runs that the last process left behind.
  std::vector<v1::RunEnd> OpenRuns() const;
  // The newest runs whose end was found on disk at open; the coordinator may not have heard of it.
  const std::deque<v1::RunEnd>& ended_at_open() const { return ended_at_open_; }
  // The lost range that holds entries of the run, or may: its end must tell so. Nothing if the run is whole.
  std::optional<SeqRange> DamageOf(const std::string& run_id) const;

  // Durable entries from `from_seq` on without a gap, at least one, then until `max_bytes` of payload is reached. Empty
  // if there is none. If the first has another seq, the ones before it are gone: released, or lost to damage.
  absl::StatusOr<std::vector<SpoolEntry>> Read(int64_t from_seq, size_t max_bytes);
  // Remembers the highest seq ever acked. Survives the end of the process, not always a power cut.
  absl::Status Ack(int64_t seq);
  // Entries up to `seq` may be forgotten: noted durably first, then whole segments are deleted. A small one that is
  // written to stays until the space is needed. Repeating is harmless.
  absl::Status Release(int64_t seq);
  // Forgets how far every source was read, so that the next runs read all of it again: whoever had acked it lost it.
  // Durable on OK.
  absl::Status ForgetCursors();
  // Takes a new identity whose number 1 is `base + 1`; returns it once it is durable.
  absl::StatusOr<SpoolIdentity> Rebase(int64_t base);

  SpoolIdentity identity() const;
  // This folder is a copy of another one, which had the same entries up to this seq and may have others behind it under
  // the same identity; 0 if it is none. Rebase ends that.
  int64_t fork_seq() const;
  int64_t acked_seq() const;
  // Highest durable seq, or what it was at open; the next entry gets a higher one.
  int64_t last_seq() const;
  int64_t recovered_seq() const { return recovered_seq_; }
  // Bytes of the segment files that hold what is not released.
  int64_t bytes() const;
  const RecoveryReport& recovery() const { return recovery_; }
  // OK, or why the spool refuses to write.
  absl::Status health() const;

  // Waits until space may have become free, at most `timeout`. Room on the disk may come from elsewhere, which nobody
  // tells.
  void AwaitRoom(absl::Duration timeout = absl::Milliseconds(200)) const;
  // `listener` is called after entries became durable, from the appending threads; the one before is not called any
  // more when this returns. It must not append.
  void SetListener(std::function<void()> listener);

  static constexpr int64_t kRunEndReserveBytes = int64_t{1} << 20;

 private:
  explicit Spool(SpoolOptions options);
  absl::Status Recover();
  absl::Status OpenTables(int64_t* damaged) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ReadWatermark() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakeWatermark(const SegmentHeader& newest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RecoverEntries() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnRecovered(const RecordHeader& record, int64_t* previous, bool* hole) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTailGone(SeqRange range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ReopenRuns() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<v1::RunEnd> DescribeRun(const RecordHeader& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SettleCursors() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckOwner() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status NotePlace(uint64_t place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReportRecovery(int64_t damaged_files);
  absl::StatusOr<int64_t> AppendEntry(RecordHeader header, absl::string_view payload, int64_t fetched, int32_t pages,
                                      const storage::v1::Cursor* cursor);
  absl::Status ReserveCursorLocked(RecordHeader& header, const storage::v1::Cursor& cursor)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status PrepareLocked(int64_t record_bytes, int64_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RotateLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WriteLocked(RecordHeader& header, absl::string_view payload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SyncLocked(int64_t seq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteSyncedLocked(int64_t seq, int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CloseActiveLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status AppendLocked(RecordHeader& header, absl::string_view payload, int64_t fetched, int32_t pages,
                            const storage::v1::Cursor* cursor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ReleaseLocked(int64_t seq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MakeRoomLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool DeletesFrontLocked(int64_t released) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t HeldBytesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status DeleteLocked(int64_t seq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SaveWatermarkLocked(const Watermark& watermark, bool durable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status FailLocked(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status FailDamaged(const Segment& segment, int64_t offset);
  int Sync(int fd) const;
  std::string SegmentPath(int64_t first_seq) const;
  // The segment that holds the first entry >= from_seq, and the bytes of it that are durable.
  bool FindSegment(int64_t from_seq, Segment* segment) const;
  bool ReadSegment(const Segment& segment, int64_t* next_seq, size_t max_bytes, size_t* bytes,
                   std::vector<SpoolEntry>* entries, absl::Status* status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);

  const SpoolOptions options_;
  const int64_t segment_bytes_;
  FileDescriptor lock_;
  int64_t recovered_seq_ = 0;
  RecoveryReport recovery_;
  std::deque<v1::RunEnd> ended_at_open_;

  mutable absl::Mutex mu_;
  mutable absl::CondVar synced_cv_;
  mutable absl::CondVar room_cv_;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  std::deque<Segment> segments_ ABSL_GUARDED_BY(mu_);
  FileDescriptor active_ ABSL_GUARDED_BY(mu_);  // segments_.back(), if valid
  int64_t total_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool room_wanted_ ABSL_GUARDED_BY(mu_) = false;  // something was not taken since the last deletion
  int64_t written_seq_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t synced_seq_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t synced_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // of the active segment
  bool syncing_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<RunTable> runs_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<CursorTable> cursors_ ABSL_GUARDED_BY(mu_);
  DamagedRuns damaged_runs_ ABSL_GUARDED_BY(mu_);
  std::optional<RecordHeader> first_held_ ABSL_GUARDED_BY(mu_);  // at open, of those that were not released
  int64_t acked_gone_ ABSL_GUARDED_BY(mu_) = 0;                  // the last entry that was acked and is not on disk
  std::unique_ptr<SlotFile> watermark_file_ ABSL_GUARDED_BY(mu_);
  Watermark watermark_ ABSL_GUARDED_BY(mu_);

  absl::Mutex listener_mu_;
  std::function<void()> listener_ ABSL_GUARDED_BY(listener_mu_);

  // Where the last Read stopped, so that the next one does not scan the segment again.
  struct Cursor {
    int64_t first_seq = 0;
    int64_t next_seq = 0;
    int64_t offset = 0;
  };
  absl::Mutex read_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  Cursor cursor_ ABSL_GUARDED_BY(read_mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_SPOOL_H_
