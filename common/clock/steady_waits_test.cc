// What becomes of waits and of absl::Now() when the wall clock jumps. This program's own calls stand in front of those
// of libc that Abseil makes: a wall clock that can be set, and a look at what waits hand to the kernel.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <cstdarg>
#include <ctime>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/clock/clock.h"
#include "common/clock/steady_clock.h"
#include "test/support/test.h"

// Sanitizers stand in front of libc themselves; there waits are only seen to keep to their limits.
#if defined(__SANITIZE_ADDRESS__) || defined(_GLIBCXX_TSAN)
#define CHARTLY_WALL_CLOCK_STAYS
#endif

namespace {

std::atomic<int> wall_waits{0};
std::atomic<int> steady_waits{0};
std::atomic<time_t> wall_ahead{0};  // seconds

#ifndef CHARTLY_WALL_CLOCK_STAYS

void Note(long operation, long limit) {  // NOLINT: as the kernel has it
  if ((operation & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET || limit == 0) return;
  ++((operation & FUTEX_CLOCK_REALTIME) != 0 ? wall_waits : steady_waits);
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

#endif

}  // namespace

#ifndef CHARTLY_WALL_CLOCK_STAYS

extern "C" long syscall(long number, ...) noexcept {     // NOLINT: as libc declares it
  static auto* real = Real<long(long, ...)>("syscall");  // NOLINT
  long a[6];                                             // NOLINT
  va_list arguments;
  va_start(arguments, number);
  for (auto& argument : a) argument = va_arg(arguments, long);  // NOLINT
  va_end(arguments);
  if (number == SYS_futex) Note(a[1], a[3]);
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto* real = Real<int(clockid_t, timespec*)>("clock_gettime");
  const int result = real(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += wall_ahead;
  return result;
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

#endif

namespace chartly {
namespace {

class Stopwatch {
 public:
  absl::Duration Elapsed() const { return absl::FromChrono(std::chrono::steady_clock::now() - start_); }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

TEST_CASE("waits with a limit keep to it, whatever became of the wall clock") {
  absl::Mutex mutex;
  absl::CondVar changed;
  absl::Notification never;
  bool no = false;
  SystemClock clock;
  [[maybe_unused]] const int before = steady_waits;
  for (time_t ahead : {0, 7200, 0, -7200, 0}) {
    wall_ahead = ahead;
    const Stopwatch watch;
    CHECK_FALSE(never.WaitForNotificationWithTimeout(absl::Milliseconds(20)));
    CHECK_FALSE(clock.WaitFor(absl::Milliseconds(20), never));
    absl::MutexLock lock(&mutex);
    CHECK(changed.WaitWithTimeout(&mutex, absl::Milliseconds(20)));
    CHECK(changed.WaitWithDeadline(&mutex, absl::Now() + absl::Milliseconds(20)));
    CHECK_FALSE(mutex.AwaitWithTimeout(absl::Condition(&no), absl::Milliseconds(20)));
    // What is over already does not wait.
    CHECK(changed.WaitWithDeadline(&mutex, absl::UnixEpoch()));
    CHECK(watch.Elapsed() >= absl::Milliseconds(100));
    CHECK(watch.Elapsed() < absl::Minutes(10));
  }
#ifndef CHARTLY_WALL_CLOCK_STAYS
  CHECK(wall_waits == 0);
  CHECK(steady_waits >= before + 25);
#endif
}

#ifndef CHARTLY_WALL_CLOCK_STAYS

TEST_CASE("a wait that goes on while the wall clock jumps ends when it is told to, or in its time") {
  absl::Notification told;
  const bool tell = GENERATE(true, false);
  const time_t jump = GENERATE(7200, -7200);
  const int before = steady_waits;
  const Stopwatch watch;
  std::thread other([&] {
    testing::Eventually([&] { return steady_waits > before; });
    wall_ahead = jump;
    if (tell) told.Notify();
  });
  const bool was_told = told.WaitForNotificationWithTimeout(tell ? absl::Minutes(5) : absl::Milliseconds(300));
  CHECK(was_told == tell);
  CHECK(watch.Elapsed() >= (tell ? absl::ZeroDuration() : absl::Milliseconds(300)));
  CHECK(watch.Elapsed() < absl::Minutes(4));
  other.join();
  wall_ahead = 0;
}

TEST_CASE("the wall clock is shown as it is, at once, and the steady one does not jump") {
  const absl::Time wall = absl::Now();
  const absl::Time steady = SteadyNow();
  wall_ahead = 7200;
  CHECK(absl::Now() - wall >= absl::Hours(2));
  CHECK(SteadyNow() - steady < absl::Minutes(10));
  wall_ahead = -7200;
  CHECK(absl::Now() - wall < -absl::Minutes(110));
  CHECK(SteadyNow() >= steady);
  wall_ahead = 0;
}

#endif

}  // namespace chartly
