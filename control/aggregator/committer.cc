#include "control/aggregator/committer.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/unsealed_loader.h"

namespace chartly::aggregator {
namespace {

constexpr absl::Duration kMaxWaitForRoom = absl::Seconds(30);
// So much is staged while the group before is being written; less is left to come together.
constexpr size_t kWorthStaging = size_t{64} << 10;

absl::Status Stopping() {
  return Error(absl::StatusCode::kUnavailable, "AGGREGATOR_STOPPING", "the aggregator is stopping; try again soon");
}

void CountRows(const CommitResult& result) {
  if (result.stored > 0) Count("chartly_rows_total", static_cast<double>(result.stored), "stored");
  if (result.duplicate > 0) Count("chartly_rows_total", static_cast<double>(result.duplicate), "duplicate");
}

}  // namespace

struct Committer::Group {
  explicit Group(Committer& committer)
      : commit(committer.store_, committer.unwritten_, committer.index_, committer.sealed_, committer.last_batch_),
        last_batch_before(committer.last_batch_) {}
  void Add(CommitResult result, Pending& of) {
    bytes += of.bytes;
    answers.emplace_back(std::move(result), std::move(of.done));
  }
  void Refuse(const absl::Status& status) {
    for (auto& [result, done] : answers) {
      if (result.status.ok()) result.status = status;
    }
  }

  CommitGroup commit;
  std::vector<std::pair<CommitResult, Done>> answers;
  size_t bytes = 0;
  const uint64_t last_batch_before;
  DedupeIndex::Changes changes;  // of the index that are final once it is written
  absl::Status written;
};

Committer::Committer(RecordStore& store, const Clock& clock, size_t dedupe_bytes)
    : store_(store),
      clock_(clock),
      dedupe_bytes_(dedupe_bytes),
      max_pending_bytes_(std::clamp(dedupe_bytes / 4, kMaxGroupBytes, kMaxPendingBytes)),
      sealed_(store, dedupe_bytes / 8),
      index_(dedupe_bytes) {}

Committer::~Committer() { Shutdown(); }

absl::StatusOr<std::unique_ptr<Committer>> Committer::Open(RecordStore& store, const Clock& clock,
                                                           size_t dedupe_bytes) {
  std::unique_ptr<Committer> committer(new Committer(store, clock, dedupe_bytes));
  RETURN_IF_ERROR(Annotate(committer->Rebuild(), "reading the stored records"));
  auto start = [raw = committer.get(), tenant = MetricTenant::Current()](void (Committer::*work)()) {
    return std::thread([raw, tenant, work] {
      const MetricTenant metrics(tenant);
      (raw->*work)();
    });
  };
  committer->commit_thread_ = start(&Committer::StageGroups);
  committer->write_thread_ = start(&Committer::WriteGroups);
  return committer;
}

absl::Status Committer::Rebuild() {
  ASSIGN_OR_RETURN(last_batch_, store_.LastBatch());
  ASSIGN_OR_RETURN(last_acked_us_, store_.LastAckedUs());
  sealed_.Refresh();
  ASSIGN_OR_RETURN(LoadedBatches loaded, LoadUnsealed(store_, last_batch_, index_, unsealed_batches_));
  ShareMemory();
  absl::MutexLock lock(&mu_);
  unsealed_.rows = std::move(loaded.rows);
  unsealed_.last_commit = SteadyNow();
  damaged_chunks_ = loaded.damaged;
  first_damage_ = std::move(loaded.first_damage);
  return absl::OkStatus();
}

// What the filters of parts and the cache of look-ups leave is the index's.
void Committer::ShareMemory() {
  size_t filters = sealed_.filter_bytes();
  size_t taken = filters + dedupe_bytes_ / 8;
  index_.set_max_bytes(std::max(dedupe_bytes_ / 8, dedupe_bytes_ - std::min(dedupe_bytes_, taken)));
  SetGauge("chartly_dedupe_index_bytes", static_cast<double>(index_.bytes()));
  SetGauge("chartly_dedupe_filter_bytes", static_cast<double>(filters));
  SetGauge("chartly_store_parts", static_cast<double>(sealed_.parts()));
  SetGauge("chartly_dedupe_cache_bytes", static_cast<double>(sealed_.cached_bytes()));
}

Committer::Unsealed Committer::unsealed() const {
  absl::MutexLock lock(&mu_);
  return unsealed_;
}

void Committer::ExpectSealing(uint64_t rows, std::function<void()> wake) {
  absl::MutexLock lock(&mu_);
  sealing_expected_ = true;
  wake_rows_ = rows;
  wake_ = std::move(wake);
}

void Committer::ExpectNoWaking() {
  absl::MutexLock lock(&mu_);
  wake_ = nullptr;
}

bool Committer::RunBetweenCommits(const std::function<void()>& task) {
  absl::Notification done;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return false;
    tasks_.push_back([&] {
      task();
      done.Notify();
    });
  }
  done.WaitForNotification();
  return true;
}

absl::Status Committer::Erase(const Erasure& erasure) {
  absl::Status status = Stopping();
  RunBetweenCommits([&] { status = EraseNow(erasure); });
  return status;
}

absl::Status Committer::EraseNow(const Erasure& erasure) {
  ASSIGN_OR_RETURN(const uint64_t unsealed, store_.Erase(erasure));
  sealed_.Refresh();
  // Where a run is taken back, older versions are the newest again, and only the store knows which.
  if (!erasure.deletion.run_id().empty()) {
    index_stale_ = true;
    return MendIndex();
  }
  std::vector<uint64_t> batches;
  for (const auto& [batch, meta] : erasure.batches) batches.push_back(batch);
  if (index_.size() > 0) index_.Forget(batches);
  unsealed_batches_.Remove(batches);
  ShareMemory();
  absl::MutexLock lock(&mu_);
  uint64_t& rows = unsealed_.rows[erasure.deletion.profile_id()];
  rows -= std::min(rows, unsealed);
  SetGauge("chartly_store_unsealed_rows", static_cast<double>(UnsealedRows()));
  return absl::OkStatus();
}

absl::Status Committer::MendIndex() {
  if (!index_stale_) return absl::OkStatus();
  (void)Settle();  // whoever it failed for was told
  index_.Clear();
  unsealed_batches_.Clear();
  RETURN_IF_ERROR(Annotate(Rebuild(), "reading the stored records"));
  index_stale_ = false;
  return absl::OkStatus();
}

void Committer::Adopt(const Sealed& sealed) {
  {
    absl::MutexLock lock(&mu_);
    uint64_t& rows = unsealed_.rows[sealed.profile_id];
    // What cannot be sealed is not offered again before more comes.
    rows = sealed.rows == 0 && sealed.parts.empty() ? 0 : rows - std::min(rows, sealed.rows);
    SetGauge("chartly_store_unsealed_rows", static_cast<double>(UnsealedRows()));
    sealing_expected_ = true;
  }
  RunBetweenCommits([&] {
    index_.Forget(sealed.batches);
    unsealed_batches_.Remove(sealed.batches);
    sealed_.Refresh();
    ShareMemory();
  });
}

void Committer::RereadParts() {
  RunBetweenCommits([this] {
    sealed_.Refresh();
    ShareMemory();
  });
}

void Committer::Submit(CommitRequest request, Done done) {
  size_t bytes = request.Size();
  {
    absl::MutexLock lock(&mu_);
    if (!stopping_) {
      pending_.push_back({std::move(request), bytes, std::move(done)});
      unstaged_bytes_ += bytes;
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
    auto room = [this]()
                    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return pending_bytes_ < max_pending_bytes_ || stopping_; };
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
  if (pending_bytes_ < max_pending_bytes_ || stopping_) return true;
  waiting_for_room_.push_back(std::move(room));
  return false;
}

void Committer::StageGroups() {
  for (std::unique_ptr<Group> group = StageGroup(); group != nullptr; group = StageGroup()) {
    const absl::Status before = Settle();
    if (before.ok()) {
      HandOver(std::move(group));
      continue;
    }
    group->Refuse(before);
    Answer(*group);
  }
  (void)Settle();  // whoever it failed for was told
  absl::MutexLock lock(&mu_);
  staged_all_ = true;
}

void Committer::RunTasks() {
  std::vector<std::function<void()>> tasks;
  {
    absl::MutexLock lock(&mu_);
    tasks.swap(tasks_);
  }
  if (tasks.empty()) return;
  (void)Settle();  // whoever it failed for was told
  for (const std::function<void()>& task : tasks) task();
}

bool Committer::FitsGroup(size_t group_bytes) const {
  return !pending_.empty() && (group_bytes == 0 || group_bytes + pending_.front().bytes <= kMaxGroupBytes);
}

std::vector<Committer::Pending> Committer::Take(size_t group_bytes) {
  std::vector<Pending> taken;
  while (FitsGroup(group_bytes)) {
    group_bytes += pending_.front().bytes;
    unstaged_bytes_ -= pending_.front().bytes;
    taken.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return taken;
}

std::vector<Committer::Pending> Committer::AwaitRequests() {
  std::vector<Pending> requests;
  for (bool stopping = false; requests.empty() && !stopping;) {
    RunTasks();
    bool written = false;
    {
      absl::MutexLock lock(&mu_);
      auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return !pending_.empty() || !tasks_.empty() || written_ || stopping_;
      };
      mu_.Await(absl::Condition(&ready));
      // Nothing is decided on what is known to have failed.
      written = written_;
      if (!written) {
        requests = Take(0);
        stopping = stopping_ && tasks_.empty();
      }
    }
    if (written) (void)Settle();  // whoever it failed for was told
  }
  return requests;
}

std::pair<std::vector<Committer::Pending>, bool> Committer::AwaitTurn(size_t group_bytes) {
  std::vector<Pending> more;
  bool its_turn = false;
  {
    absl::MutexLock lock(&mu_);
    auto ready = [this, group_bytes]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return writing_ == nullptr || written_ || (unstaged_bytes_ >= kWorthStaging && FitsGroup(group_bytes));
    };
    mu_.Await(absl::Condition(&ready));
    its_turn = writing_ == nullptr || written_;
    // What goes with a failure is no more than it must be.
    if (!written_ || writing_->written.ok()) more = Take(group_bytes);
  }
  if (more.empty() || HasRoomFor(more)) return {std::move(more), its_turn};
  // Room is made between groups.
  absl::MutexLock lock(&mu_);
  for (; !more.empty(); more.pop_back()) {
    unstaged_bytes_ += more.back().bytes;
    pending_.push_front(std::move(more.back()));
  }
  return {std::vector<Pending>(), true};
}

uint64_t Committer::UnsealedRows() const {
  uint64_t rows = 0;
  for (const auto& [profile_id, unsealed] : unsealed_.rows) rows += unsealed;
  return rows;
}

bool Committer::HasRoomFor(const std::vector<Pending>& requests) {
  std::vector<const RecordIds*> ids;
  for (const Pending& one : requests) {
    for (const PreparedBatch& batch : one.request.batches) ids.push_back(&batch.ids);
  }
  if (ids.empty()) return true;
  {
    absl::MutexLock lock(&mu_);
    if (UnsealedRows() >= kMaxUnsealedRows) return false;
  }
  return index_.Reserve(ids).ok();
}

void Committer::AwaitRoom(const std::vector<Pending>& requests) {
  if (HasRoomFor(requests)) return;
  {
    absl::MutexLock lock(&mu_);
    if (!sealing_expected_) return;
    unsealed_.needs_room = true;
    if (wake_ != nullptr) wake_();
  }
  const absl::Time deadline = SteadyNow() + kMaxWaitForRoom;
  bool room = false;
  while (!room && SteadyNow() < deadline) {
    {
      absl::MutexLock lock(&mu_);
      auto news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !tasks_.empty() || stopping_; };
      mu_.AwaitWithTimeout(absl::Condition(&news), deadline - SteadyNow());
      if (stopping_ && tasks_.empty()) break;
    }
    RunTasks();
    room = HasRoomFor(requests);
  }
  absl::MutexLock lock(&mu_);
  unsealed_.needs_room = false;
  // Nothing came of it: what comes next is refused at once, until something is sealed again.
  if (!room) sealing_expected_ = false;
}

std::unique_ptr<Committer::Group> Committer::StageGroup() {
  std::vector<Pending> requests = AwaitRequests();
  if (requests.empty()) return nullptr;
  AwaitRoom(requests);
  const absl::Status mended = MendIndex();
  auto group = std::make_unique<Group>(*this);
  if (!mended.ok()) {
    for (Pending& one : requests) group->Add({mended}, one);
    return group;
  }
  for (bool its_turn = false; !requests.empty();) {
    Stage(std::move(requests), *group);
    requests.clear();
    if (!its_turn) std::tie(requests, its_turn) = AwaitTurn(group->bytes);
  }
  return group;
}

void Committer::Stage(std::vector<Pending> requests, Group& group) {
  std::vector<const CommitRequest*> looked_up;
  for (const Pending& one : requests) looked_up.push_back(&one.request);
  group.commit.LookUp(looked_up);
  for (Pending& one : requests) group.Add(group.commit.Stage(std::move(one.request)), one);
}

void Committer::HandOver(std::unique_ptr<Group> group) {
  group->changes = index_.changes();
  unwritten_ = group->commit.states();
  last_batch_ = group->commit.last_batch();
  absl::MutexLock lock(&mu_);
  writing_ = std::move(group);
}

absl::Status Committer::Settle() {
  std::unique_ptr<Group> group;
  {
    absl::MutexLock lock(&mu_);
    auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return writing_ == nullptr || written_; };
    mu_.Await(absl::Condition(&idle));
    group = std::move(writing_);
    written_ = false;
  }
  if (group == nullptr) return absl::OkStatus();
  unwritten_ = StoreStates();
  if (group->written.ok()) {
    index_.Commit(group->changes);
  } else {
    index_.Undo();
    last_batch_ = group->last_batch_before;
  }
  ShareMemory();
  return group->written;
}

void Committer::WriteGroups() {
  for (;;) {
    Group* group = nullptr;
    {
      absl::MutexLock lock(&mu_);
      auto ready = [this]()
                       ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return (writing_ != nullptr && !written_) || staged_all_; };
      mu_.Await(absl::Condition(&ready));
      if (writing_ == nullptr) return;
      group = writing_.get();
    }
    if (group->commit.dirty()) group->written = Write(group->commit);
    if (!group->written.ok()) group->Refuse(group->written);
    Answer(*group);
    absl::MutexLock lock(&mu_);
    written_ = true;
  }
}

absl::Status Committer::Write(CommitGroup& group) {
  absl::Time start = absl::Now();
  // The clock of a machine may be set back; what `as_of` means must not. No sooner than this: whoever asks what was
  // known at a time that is over should be told the same later.
  const int64_t now_us = std::max(last_acked_us_, absl::ToUnixMicros(clock_.Now()));
  StoreWrite write = group.TakeWrite(now_us);
  size_t chunks = write.chunks.size(), quarantined = write.quarantine.size(), bytes = 0;
  std::map<std::string, uint64_t> rows;
  for (const StoreWrite::Chunk& chunk : write.chunks) {
    bytes += chunk.batch.size();
    rows[chunk.meta.profile_id()] += chunk.meta.stored();
  }
  absl::Status status = store_.Append(std::move(write));
  if (status.ok()) {
    last_acked_us_ = now_us;
    unsealed_batches_.Add(group.TakeUnsealed());
    Count("chartly_ingest_batches_total", static_cast<double>(chunks));
    Count("chartly_ingest_bytes_total", static_cast<double>(bytes));
    if (quarantined > 0) Count("chartly_rows_total", static_cast<double>(quarantined), "quarantined");
    Observe("chartly_ingest_commit_seconds", absl::ToDoubleSeconds(absl::Now() - start));
  } else {
    Count("chartly_store_failures_total");
  }
  absl::MutexLock lock(&mu_);
  if (status.ok()) {
    bool much = false;
    for (const auto& [profile_id, added] : rows) much = (unsealed_.rows[profile_id] += added) >= wake_rows_ || much;
    unsealed_.last_commit = SteadyNow();
    SetGauge("chartly_store_unsealed_rows", static_cast<double>(UnsealedRows()));
    if (wake_ != nullptr && much) wake_();
  }
  bool news = status.code() != last_write_.code();
  last_write_ = status;
  if (news && !status.ok()) LogError("records cannot be stored", {{"error", std::string(status.message())}});
  if (news && status.ok()) LogInfo("records are stored again");
  return status;
}

void Committer::Answer(Group& group) {
  // Room first: a caller that goes on at once finds it.
  Release(group.bytes);
  for (auto& [result, done] : group.answers) {
    if (result.status.ok()) CountRows(result);
    done(result);
  }
  group.answers.clear();  // callers may be gone before the group is
}

void Committer::Release(size_t bytes) {
  std::vector<std::function<void()>> waiting;
  {
    absl::MutexLock lock(&mu_);
    pending_bytes_ -= bytes;
    SetGauge("chartly_ingest_pending_bytes", static_cast<double>(pending_bytes_));
    if (pending_bytes_ < max_pending_bytes_) waiting.swap(waiting_for_room_);
  }
  for (const std::function<void()>& room : waiting) room();
}

std::string Committer::Health() const {
  absl::MutexLock lock(&mu_);
  return absl::IsResourceExhausted(last_write_) ? "" : std::string(last_write_.message());
}

std::string Committer::Amiss() const {
  std::string set_aside = store_.Damage();
  absl::MutexLock lock(&mu_);
  if (absl::IsResourceExhausted(last_write_)) return std::string(last_write_.message());
  if (damaged_chunks_ == 0) return set_aside;
  return absl::StrCat(damaged_chunks_, " stored batches are damaged, the first: ", first_damage_);
}

void Committer::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (commit_thread_.joinable()) commit_thread_.join();
  if (write_thread_.joinable()) write_thread_.join();
}

}  // namespace chartly::aggregator
