#include "common/kv/rocksdb_handle.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/clock/steady_clock.h"
#include "common/kv/rocksdb_reads.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly {
namespace {

// How long reads that begin wait for those before them to end, and how soon that is tried again: at least so many times
// as long after, so that one read that lasts does not stand in the way of all others.
constexpr absl::Duration kMinWaitForReads = absl::Milliseconds(200);
constexpr absl::Duration kMaxWaitForReads = absl::Seconds(5);
constexpr absl::Duration kTryEach = absl::Seconds(2);
constexpr int kWaitsBetweenTries = 4;

}  // namespace

OpeningPtr RocksDbHandle::Sound() {
  absl::ReaderMutexLock lock(&opening_mu_);
  return opening_ != nullptr && !opening_->notice().stopped() ? opening_ : nullptr;
}

absl::StatusOr<OpeningPtr> RocksDbHandle::ForRead() {
  if (OpeningPtr sound = Sound()) return sound;
  const absl::Status anew = OpenAnew();
  absl::ReaderMutexLock lock(&opening_mu_);
  if (opening_ == nullptr) return anew;
  return opening_;
}

absl::StatusOr<OpeningPtr> RocksDbHandle::ForWrite(size_t bytes) {
  {
    absl::MutexLock lock(&mu_);
    RETURN_IF_ERROR(failure_);
  }
  ASSIGN_OR_RETURN(const uint64_t available, CheckSpace(bytes));
  if (OpeningPtr sound = Sound()) {
    sound->MindRoom(available);
    return sound;
  }
  RETURN_IF_ERROR(OpenAnew());
  if (OpeningPtr sound = Sound()) return sound;
  return StoreFull(path_, "once more");
}

absl::StatusOr<uint64_t> RocksDbHandle::CheckSpace(size_t bytes) const {
  const size_t needed = reserve_bytes_ + bytes;
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(path_, error);
  if (error) return std::numeric_limits<uint64_t>::max();
  if (space.available >= needed) return space.available;
  return StoreFull(path_, absl::StrCat(space.available, " bytes free, ", needed, " needed"));
}

absl::Status RocksDbHandle::OpenAnew() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(failure_);
  RETURN_IF_ERROR(CheckSpace(0).status());
  absl::MutexLock opening_lock(&opening_mu_);
  if (opening_ != nullptr && !opening_->notice().stopped()) return absl::OkStatus();
  if (SteadyNow() < next_try_) return StoreFull(path_, "the store is opened anew soon");
  RETURN_IF_ERROR(CloseForAll());
  // To collect garbage is mostly what filled the disk if nobody else did, and would do it again.
  absl::StatusOr<OpeningPtr> opened = RocksDbOpening::Open(path_, options_, RocksDbOpening::Garbage::kLeft);
  if (!opened.ok()) {
    next_try_ = SteadyNow() + kTryEach;
    if (!absl::IsResourceExhausted(opened.status())) failure_ = opened.status();
    return opened.status();
  }
  Count("chartly_store_opened_anew_total");
  LogWarn("the store met a full disk and was opened anew", {{"path", path_}});
  opening_ = *std::move(opened);
  max_wait_ = absl::ZeroDuration();
  return absl::OkStatus();
}

absl::Status RocksDbHandle::CloseForAll() {
  if (opening_ == nullptr) return absl::OkStatus();
  last_sequence_ = opening_->db().GetLatestSequenceNumber();
  const std::shared_ptr<absl::Notification> closed = opening_->closed();
  const std::weak_ptr<RocksDbOpening> held = opening_;
  opening_.reset();
  // Where readers overlap there is no gap: from one try to the next the new ones wait longer.
  max_wait_ = std::clamp(2 * max_wait_, kMinWaitForReads, kMaxWaitForReads);
  if (closed->WaitForNotificationWithTimeout(max_wait_)) return absl::OkStatus();
  opening_ = held.lock();
  if (opening_ == nullptr) {
    closed->WaitForNotification();
    return absl::OkStatus();
  }
  next_try_ = SteadyNow() + std::max(kTryEach, kWaitsBetweenTries * max_wait_);
  return StoreFull(path_, "the store is opened anew once nobody reads it");
}

absl::Status RocksDbHandle::RecordFailure(const rocksdb::Status& status, RocksDbOpening& opening) {
  absl::Status failure = ConvertStatus(status, path_);
  absl::MutexLock lock(&mu_);
  if (IsOfFullDisk(status)) {
    opening.notice().Stop();
  } else if (failure_.ok()) {
    failure_ = failure;
  }
  return failure;
}

uint64_t RocksDbHandle::LastSequence() {
  const absl::StatusOr<OpeningPtr> opening = ForRead();
  return opening.ok() ? (*opening)->db().GetLatestSequenceNumber() : last_sequence_.load();
}

}  // namespace chartly
