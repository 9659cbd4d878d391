#include "common/backup/part_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "common/text/sha256.h"

namespace chartly::backup {
namespace {

constexpr size_t kReadBytes = size_t{4} << 20;
// A segment grows with every call, which writes it anew, until it is this large or old: a quiet store leaves a few
// hundred files a day, a busy one is written once.
constexpr size_t kSegmentBytes = size_t{1} << 20;
constexpr absl::Duration kSegmentAge = absl::Minutes(5);
constexpr size_t kStoreDigits = 12;

LogBatch Encode(const KvLogBatch& batch) {
  LogBatch encoded;
  encoded.set_first(batch.first);
  encoded.set_time_us(batch.time_us);
  for (const KvBatch::Op& op : batch.batch.ops()) {
    storage::v1::LogOp& added = *encoded.add_ops();
    added.set_key(op.key);
    if (op.put) added.set_value(op.value);
  }
  return encoded;
}

// Logs of another store, such as the one that this was restored from, are not gone on with.
std::string HistoryName(absl::Time begun, absl::string_view store) {
  return absl::StrCat(absl::FormatTime("%E4Y%m%dt%H%M%E6Sz-", begun, absl::UTCTimeZone()), store);
}

}  // namespace

void PartLog::Archive() {
  absl::MutexLock lock(&mu_);
  absl::Status status = resumed_ ? absl::OkStatus() : Resume();
  resumed_ = resumed_ || status.ok();
  if (status.ok() && history_.empty() && copies_ == 0) source_.ForgetLog(source_.LastSequence());
  if (status.ok() && !history_.empty()) status = ArchiveNew();
  if (Reason(status) == "LOG_GAP") BreakOff(std::string(status.message()));
  Tell(status);
  ShowBehind();
}

// Once for each cause, however often it is tried again.
void PartLog::Tell(const absl::Status& status) {
  const std::string failure(status.message());
  if (!status.ok()) Count("chartly_backup_log_failures_total", 1, part_);
  if (!status.ok() && failure != told_) LogWarn("the log is not archived", {{"part", part_}, {"error", failure}});
  if (status.ok() && !told_.empty() && !history_.empty()) LogInfo("the log is archived again", {{"part", part_}});
  told_ = failure;
}

std::string PartLog::Fault() const {
  absl::MutexLock lock(&fault_mu_);
  return fault_;
}

void PartLog::SetFault(const std::string& fault) {
  absl::MutexLock lock(&fault_mu_);
  fault_ = fault;
}

void PartLog::CopyBegins() {
  absl::MutexLock lock(&mu_);
  ++copies_;
  copy_begun_ = clock_.Now();
}

void PartLog::CopyFailed() {
  absl::MutexLock lock(&mu_);
  --copies_;
}

absl::StatusOr<LogPosition> PartLog::CopyMade(uint64_t sequence) {
  absl::MutexLock lock(&mu_);
  --copies_;
  if (!resumed_) RETURN_IF_ERROR(Resume());
  resumed_ = true;
  if (!history_.empty()) {
    const absl::Status archived = ArchiveNew();
    if (Reason(archived) == "LOG_GAP") BreakOff(std::string(archived.message()));
    if (!archived.ok() && !history_.empty()) return archived;
  }
  if (history_.empty()) {
    ASSIGN_OR_RETURN(const std::string store, source_.Identity());
    const std::string history = HistoryName(clock_.Now(), Sha256Hex(store).substr(0, kStoreDigits));
    RETURN_IF_ERROR(folder_.Begin(history));
    // What was written since the copy began may be behind it.
    until_us_ = absl::ToUnixMicros(copy_begun_);
    RETURN_IF_ERROR(folder_.WriteMark(history, {sequence, until_us_}));
    history_ = history;
    position_ = sequence;
    growing_.Clear();
    SetFault("");
  }
  LogPosition position;
  position.set_history(history_);
  position.set_sequence(sequence);
  return position;
}

absl::Status PartLog::Keep(const std::vector<LogPosition>& positions) {
  absl::MutexLock lock(&mu_);
  // Until it is known which log goes on, none goes.
  return resumed_ ? folder_.Keep(positions, history_) : absl::OkStatus();
}

absl::Status PartLog::Resume() {
  ASSIGN_OR_RETURN(const std::vector<std::string> histories, folder_.Histories());
  if (histories.empty()) return absl::OkStatus();
  const std::string& newest = histories.back();
  ASSIGN_OR_RETURN(const std::string store, source_.Identity());
  if (!absl::EndsWith(newest, "-" + Sha256Hex(store).substr(0, kStoreDigits))) {
    LogWarn("this is not the store whose log was archived; the next backup begins another", {{"part", part_}});
    return absl::OkStatus();
  }
  const std::optional<LogMark> mark = folder_.ReadMark(newest);
  until_us_ = mark.has_value() ? mark->time_us : 0;
  const absl::StatusOr<bool> goes_on = GoesOn(newest);
  const bool is_lost = Reason(goes_on.status()) == "LOG_GAP" || Reason(goes_on.status()) == "BACKUP_LOG_CORRUPT";
  if (!goes_on.ok() && !is_lost) return goes_on.status();
  if (goes_on.ok() && *goes_on) {
    history_ = newest;
    return absl::OkStatus();
  }
  BreakOff(goes_on.ok() ? "the store is not the one that was archived" : std::string(goes_on.status().message()));
  return absl::OkStatus();
}

absl::StatusOr<bool> PartLog::GoesOn(const std::string& history) {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, folder_.Segments(history));
  if (segments.empty()) {
    const std::optional<LogMark> mark = folder_.ReadMark(history);
    if (!mark.has_value()) return false;
    position_ = mark->last;
    return position_ <= source_.LastSequence();
  }
  ASSIGN_OR_RETURN(const LogSegment newest, folder_.Read(history, segments.back()));
  const LogBatch& last = newest.batches(newest.batches_size() - 1);
  ASSIGN_OR_RETURN(const std::vector<KvLogBatch> kept, source_.ReadLog(last.first() - 1, 1));
  position_ = LastOf(last);
  return !kept.empty() && Encode(kept.front()).SerializeAsString() == last.SerializeAsString();
}

absl::Status PartLog::ArchiveNew() {
  // In this order: what is over by then has a number up to the goal. What comes meanwhile is for the next time.
  const int64_t now_us = absl::ToUnixMicros(clock_.Now());
  const uint64_t goal = source_.LastSequence();
  while (position_ < goal) {
    ASSIGN_OR_RETURN(const std::vector<KvLogBatch> batches, source_.ReadLog(position_, kReadBytes));
    if (batches.empty()) break;
    RETURN_IF_ERROR(Append(batches));
  }
  until_us_ = now_us;
  RETURN_IF_ERROR(folder_.WriteMark(history_, {position_, now_us}));
  // Behind a copy another log may begin, if this one turns out to be broken.
  if (copies_ == 0) source_.ForgetLog(position_);
  return absl::OkStatus();
}

absl::Status PartLog::Append(const std::vector<KvLogBatch>& batches) {
  const bool is_full = growing_.ByteSizeLong() >= kSegmentBytes || clock_.Now() - growing_since_ >= kSegmentAge;
  LogSegment next;
  if (growing_.batches_size() > 0 && !is_full) {
    next = growing_;
  } else {
    growing_.Clear();
    growing_since_ = clock_.Now();
    next.set_history(history_);
  }
  const size_t bytes_before = next.ByteSizeLong();
  for (const KvLogBatch& batch : batches) *next.add_batches() = Encode(batch);
  RETURN_IF_ERROR(folder_.Write(next));
  Count("chartly_backup_log_bytes_total", static_cast<double>(next.ByteSizeLong() - bytes_before), part_);
  const LogSegment before = std::exchange(growing_, std::move(next));
  position_ = batches.back().last;
  until_us_ = std::max(until_us_, batches.back().time_us);
  if (before.batches_size() == 0) return absl::OkStatus();
  return folder_.Remove(history_, NameOf(before));
}

void PartLog::BreakOff(const std::string& why) {
  const std::string until =
      until_us_ == 0 ? "the last backup" : absl::FormatTime(absl::FromUnixMicros(until_us_), absl::UTCTimeZone());
  const std::string fault = absl::StrCat("the log of ", part_, " breaks off: no moment from ", until,
                                         " to the next backup can be restored; make one now (", why, ")");
  LogError("the archived log breaks off", {{"part", part_}, {"error", fault}});
  SetFault(fault);
  history_.clear();
  growing_.Clear();
}

void PartLog::ShowBehind() const {
  if (until_us_ == 0) return;
  const double behind = absl::ToDoubleSeconds(clock_.Now() - absl::FromUnixMicros(until_us_));
  SetGauge("chartly_backup_log_behind_seconds", std::max(behind, 0.0), part_);
}

}  // namespace chartly::backup
