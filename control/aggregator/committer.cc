#include "control/aggregator/committer.h"

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::aggregator {
namespace {

absl::Status Stopping() {
  return Error(absl::StatusCode::kUnavailable, "AGGREGATOR_STOPPING", "the aggregator is stopping; try again soon");
}

void CountRows(const CommitResult& result) {
  if (result.stored > 0) Count("chartly_rows_total", static_cast<double>(result.stored), "stored");
  if (result.duplicate > 0) Count("chartly_rows_total", static_cast<double>(result.duplicate), "duplicate");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Committer>> Committer::Open(RecordStore& store, const Clock& clock,
                                                           size_t dedupe_bytes) {
  std::unique_ptr<Committer> committer(new Committer(store, clock, dedupe_bytes));
  RETURN_IF_ERROR(Annotate(committer->Rebuild(), "reading the stored records"));
  committer->thread_ = std::thread([raw = committer.get()] { raw->Run(); });
  return committer;
}

absl::Status Committer::Rebuild() {
  ASSIGN_OR_RETURN(last_batch_, store_.LastBatch());
  ASSIGN_OR_RETURN(last_acked_us_, store_.LastAckedUs());
  size_t damaged = 0;
  std::string first_damage;
  RETURN_IF_ERROR(store_.ScanChunks("", 0, [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    absl::Status status = ReplayChunk(chunk, meta);
    if (status.ok()) return true;
    LogError("a stored batch is damaged", {{"chunk", absl::StrCat(chunk)}, {"error", std::string(status.message())}});
    if (damaged++ == 0) first_damage = std::string(status.message());
    return true;
  }));
  SetGauge("chartly_dedupe_index_bytes", static_cast<double>(index_.bytes()));
  absl::MutexLock lock(&mu_);
  damaged_chunks_ = damaged;
  first_damage_ = first_damage;
  return absl::OkStatus();
}

absl::Status Committer::ReplayChunk(uint64_t chunk, const ChunkMeta& meta) {
  ASSIGN_OR_RETURN(std::string bytes, store_.ChunkBatch(chunk));
  ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
  index_.Replay(ComputeRecordIds(batch), meta.observed_us(), chunk, StoredRows(meta));
  return absl::OkStatus();
}

void Committer::Submit(CommitRequest request, Done done) {
  size_t bytes = request.Size();
  {
    absl::MutexLock lock(&mu_);
    if (!stopping_) {
      pending_.push_back({std::move(request), bytes, std::move(done)});
      pending_bytes_ += bytes;
      return;
    }
  }
  CommitResult result;
  result.status = Stopping();
  done(result);
}

CommitResult Committer::Commit(CommitRequest request) {
  {
    absl::MutexLock lock(&mu_);
    auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return pending_bytes_ < kMaxPendingBytes || stopping_; };
    mu_.Await(absl::Condition(&room));
  }
  absl::Notification committed;
  CommitResult answer;
  Submit(std::move(request), [&](const CommitResult& result) {
    answer = result;
    committed.Notify();
  });
  committed.WaitForNotification();
  return answer;
}

bool Committer::HasRoom(std::function<void()> room) {
  absl::MutexLock lock(&mu_);
  if (pending_bytes_ < kMaxPendingBytes || stopping_) return true;
  waiting_for_room_.push_back(std::move(room));
  return false;
}

void Committer::Run() {
  for (std::vector<Pending> group = TakeGroup(); !group.empty(); group = TakeGroup()) CommitPending(group);
}

// Waits for requests; empty once it stops and nothing is left.
std::vector<Committer::Pending> Committer::TakeGroup() {
  absl::MutexLock lock(&mu_);
  auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !pending_.empty() || stopping_; };
  mu_.Await(absl::Condition(&ready));
  std::vector<Pending> group;
  for (size_t bytes = 0; !pending_.empty() && (group.empty() || bytes + pending_.front().bytes <= kMaxGroupBytes);) {
    bytes += pending_.front().bytes;
    group.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return group;
}

void Committer::CommitPending(std::vector<Pending>& pending) {
  // The clock of a machine may be set back; what `as_of` means must not.
  int64_t now_us = std::max(last_acked_us_, absl::ToUnixMicros(clock_.Now()));
  CommitGroup group(store_, index_, last_batch_, now_us);
  std::vector<CommitResult> results;
  size_t bytes = 0;
  for (Pending& one : pending) {
    bytes += one.bytes;
    results.push_back(group.Stage(std::move(one.request)));
  }
  absl::Status written = group.dirty() ? Write(group) : absl::OkStatus();
  if (group.dirty() && written.ok()) last_acked_us_ = now_us;
  // Room first: a caller that goes on at once finds it.
  Release(bytes);
  for (size_t i = 0; i < pending.size(); ++i) {
    if (results[i].status.ok()) results[i].status = written;
    if (results[i].status.ok()) CountRows(results[i]);
    pending[i].done(results[i]);
  }
}

absl::Status Committer::Write(CommitGroup& group) {
  absl::Time start = absl::Now();
  StoreWrite write = group.TakeWrite();
  uint64_t last_batch = write.last_batch;
  size_t chunks = write.chunks.size(), quarantined = write.quarantine.size(), bytes = 0;
  for (const StoreWrite::Chunk& chunk : write.chunks) bytes += chunk.batch.size();
  absl::Status status = store_.Append(std::move(write));
  if (status.ok()) {
    index_.Commit();
    last_batch_ = last_batch;
    Count("chartly_ingest_batches_total", static_cast<double>(chunks));
    Count("chartly_ingest_bytes_total", static_cast<double>(bytes));
    if (quarantined > 0) Count("chartly_rows_total", static_cast<double>(quarantined), "quarantined");
    Observe("chartly_ingest_commit_seconds", absl::ToDoubleSeconds(absl::Now() - start));
    SetGauge("chartly_dedupe_index_bytes", static_cast<double>(index_.bytes()));
  } else {
    index_.Undo();
    Count("chartly_store_failures_total");
  }
  absl::MutexLock lock(&mu_);
  bool news = status.code() != last_write_.code();
  last_write_ = status;
  if (news && !status.ok()) LogError("records cannot be stored", {{"error", std::string(status.message())}});
  return status;
}

void Committer::Release(size_t bytes) {
  std::vector<std::function<void()>> waiting;
  {
    absl::MutexLock lock(&mu_);
    pending_bytes_ -= bytes;
    SetGauge("chartly_ingest_pending_bytes", static_cast<double>(pending_bytes_));
    if (pending_bytes_ < kMaxPendingBytes) waiting.swap(waiting_for_room_);
  }
  for (const std::function<void()>& room : waiting) room();
}

std::string Committer::Health() const {
  absl::MutexLock lock(&mu_);
  if (!last_write_.ok()) return std::string(last_write_.message());
  if (damaged_chunks_ == 0) return "";
  return absl::StrCat(damaged_chunks_, " stored batches are damaged, the first: ", first_damage_);
}

void Committer::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace chartly::aggregator
