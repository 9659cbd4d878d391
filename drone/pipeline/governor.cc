#include "drone/pipeline/governor.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

// How long a drone that did nothing for a while may work without a pause.
constexpr absl::Duration kMostCredit = absl::Milliseconds(200);
constexpr absl::Duration kLongestNap = absl::Milliseconds(100);  // so that a cancel is seen soon

constexpr absl::Duration kLongestWait = absl::Seconds(30);  // for the memory of other runs
constexpr absl::Duration kMemoryNap = absl::Milliseconds(20);
constexpr int kStuckNaps = 5;

}  // namespace

ProcessUsage UsageOfThisProcess() {
  timespec cpu{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  int64_t size = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return {absl::DurationFromTimespec(cpu), resident * ::sysconf(_SC_PAGESIZE)};
}

Governor::Governor(double cores, int64_t memory_bytes, Clock& clock, std::function<ProcessUsage()> usage)
    : cores_(cores),
      memory_bytes_(memory_bytes),
      clock_(clock),
      usage_(std::move(usage)),
      at_(clock.Now()),
      cpu_(usage_().cpu),
      credit_(kMostCredit) {}

absl::Status Governor::Admit(const std::atomic<bool>& cancelled) {
  if (memory_bytes_ > 0 && usage_().memory_bytes > memory_bytes_) {
    ::malloc_trim(0);  // what was freed counts until then
    if (usage_().memory_bytes > memory_bytes_) return MemoryError();
  }
  if (cores_ <= 0) return absl::OkStatus();
  absl::Notification never;
  for (absl::Duration debt = Debt(); debt > absl::ZeroDuration() && !cancelled; debt = Debt()) {
    clock_.WaitFor(std::min(debt, kLongestNap), never);
  }
  return absl::OkStatus();
}

bool Governor::Promise(int64_t bytes) {
  for (bool trimmed : {false, true}) {
    if (trimmed) ::malloc_trim(0);
    const int64_t held = usage_().memory_bytes;
    absl::MutexLock lock(&mu_);
    bool fits = held + promised_ + bytes <= memory_bytes_ || (shares_ == 1 && held <= memory_bytes_);
    if (!fits) continue;
    promised_ += bytes;
    return true;
  }
  return false;
}

absl::Status Governor::AwaitPromise(int64_t bytes, int64_t number, const std::atomic<bool>& cancelled) {
  if (Promise(bytes)) return absl::OkStatus();
  SetWaiting(number, true);
  absl::Notification never;
  const absl::Time end = clock_.Now() + kLongestWait;
  absl::Status status;
  int stuck = 0;
  while (status.ok() && !Promise(bytes)) {
    // What the run before this one held comes back a moment after its share.
    stuck = IsLastOfAllWaiting(number) ? stuck + 1 : 0;
    if (stuck > kStuckNaps || clock_.Now() >= end) status = MemoryError();
    if (cancelled) status = absl::CancelledError("the run was cancelled");
    if (status.ok()) clock_.WaitFor(kMemoryNap, never);
  }
  SetWaiting(number, false);
  return status;
}

void Governor::SetWaiting(int64_t number, bool waits) {
  absl::MutexLock lock(&mu_);
  if (waits) waiting_.insert(number);
  if (!waits) waiting_.erase(number);
}

bool Governor::IsLastOfAllWaiting(int64_t number) const {
  absl::MutexLock lock(&mu_);
  return waiting_.size() == shares_ && *waiting_.rbegin() == number;
}

absl::Status Governor::MemoryError() const {
  return Error(absl::StatusCode::kResourceExhausted, "CONSENT_DENIED",
               absl::StrCat("the drone holds ", usage_().memory_bytes, " bytes of memory, and its consent file allows ",
                            memory_bytes_, "; give it less to do at once (--capacity), or ask who owns its host"));
}

Governor::Share::Share(Governor* governor)
    : governor_(governor != nullptr && governor->memory_bytes_ > 0 ? governor : nullptr) {
  if (governor_ == nullptr) return;
  absl::MutexLock lock(&governor_->mu_);
  ++governor_->shares_;
  number_ = ++governor_->last_number_;
}

Governor::Share::~Share() {
  if (governor_ == nullptr) return;
  Settle();
  absl::MutexLock lock(&governor_->mu_);
  --governor_->shares_;
}

absl::Status Governor::Share::Grow(int64_t bytes, const std::atomic<bool>& cancelled) {
  if (governor_ == nullptr) return absl::OkStatus();
  bytes = std::min(bytes, kMostOfARun - promised_);
  absl::Status status = governor_->AwaitPromise(bytes, number_, cancelled);
  if (status.ok()) promised_ += bytes;
  return status;
}

void Governor::Share::Settle() {
  if (promised_ == 0) return;
  absl::MutexLock lock(&governor_->mu_);
  governor_->promised_ -= promised_;
  promised_ = 0;
}

// How long everybody has to wait until what was taken is paid for.
absl::Duration Governor::Debt() {
  const absl::Duration cpu = usage_().cpu;
  absl::MutexLock lock(&mu_);
  const absl::Time now = clock_.Now();
  credit_ += std::max(now - at_, absl::ZeroDuration()) * cores_ - (cpu - cpu_);
  credit_ = std::min(credit_, kMostCredit);
  at_ = now;
  cpu_ = cpu;
  return -credit_ / cores_;
}

}  // namespace chartly::drone
