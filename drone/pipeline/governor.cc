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
    int64_t held = usage_().memory_bytes;
    if (held > memory_bytes_) {
      return Error(absl::StatusCode::kResourceExhausted, "CONSENT_DENIED",
                   absl::StrCat("the drone holds ", held, " bytes of memory, and its consent file allows ",
                                memory_bytes_, "; give it less to do at once (--capacity), or ask who owns its host"));
    }
  }
  if (cores_ <= 0) return absl::OkStatus();
  absl::Notification never;
  for (absl::Duration debt = Debt(); debt > absl::ZeroDuration() && !cancelled; debt = Debt()) {
    clock_.WaitFor(std::min(debt, kLongestNap), never);
  }
  return absl::OkStatus();
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
