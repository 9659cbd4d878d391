// Waits with a time limit, of absl::Mutex, CondVar and Notification and so those of gRPC, go by the steady clock, and
// absl::Now() shows the wall clock as it is.
//
// Until 2023 Abseil made of each limit a moment of the wall clock and handed that to the kernel. Where the wall clock
// was set back by two hours, a thread that meant to sleep for a quarter of a second slept for two hours: no step of the
// schedule, no heartbeat. And absl::Now() counted cycles and looked at the clock every two seconds: for that long after
// a jump its moments were not those of gRPC, which took deadlines made of them as past. The definitions here stand in
// front of the library's in every program that links this folder; CMakeLists.txt sees to that. See docs/adr/0030.
#include "absl/base/config.h"

extern "C" void ChartlySteadyWaits() {}

#if !defined(ABSL_LTS_RELEASE_VERSION) || ABSL_LTS_RELEASE_VERSION < 20230802

#include <time.h>

#include <cerrno>
#include <cstdint>

#include "absl/base/internal/raw_logging.h"
#include "absl/synchronization/internal/futex.h"
#include "absl/synchronization/internal/kernel_timeout.h"
#include "absl/synchronization/internal/waiter.h"
#include "absl/time/clock.h"

static_assert(ABSL_WAITER_MODE == ABSL_WAITER_MODE_FUTEX, "another form of waiting needs another definition");

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr auto kAny = static_cast<int32_t>(FUTEX_BITSET_MATCH_ANY);

int64_t Nanos(const timespec& time) { return static_cast<int64_t>(time.tv_sec) * kSecond + time.tv_nsec; }

int64_t NowOf(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return Nanos(now);
}

// The limit was made a moment ago, of the time that absl::Now() showed then.
timespec SteadyLimit(timespec limit) {
  const int64_t left = Nanos(limit) - NowOf(CLOCK_REALTIME);
  const int64_t end = NowOf(CLOCK_MONOTONIC) + (left > 0 ? left : 0);
  return {static_cast<time_t>(end / kSecond), static_cast<decltype(timespec::tv_nsec)>(end % kSecond)};
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

int64_t GetCurrentTimeNanos() { return NowOf(CLOCK_REALTIME); }

namespace synchronization_internal {

bool Waiter::Wait(KernelTimeout t) {
  const bool limited = t.has_timeout();
  const timespec limit = limited ? SteadyLimit(t.MakeAbsTimespec()) : timespec{};
  while (true) {
    for (int32_t posts = futex_.load(std::memory_order_relaxed); posts != 0;) {
      if (futex_.compare_exchange_weak(posts, posts - 1, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    const int error =
        limited ? Futex::WaitBitsetAbsoluteTimeout(&futex_, 0, kAny, &limit) : Futex::WaitUntil(&futex_, 0, t);
    if (error == -ETIMEDOUT) return false;
    // Woken, by a post or a signal, or there was one before.
    if (error != 0 && error != -EINTR && error != -EWOULDBLOCK) {
      ABSL_RAW_LOG(FATAL, "the kernel refuses to wait: error %d", -error);
    }
  }
}

}  // namespace synchronization_internal
ABSL_NAMESPACE_END
}  // namespace absl

#endif
