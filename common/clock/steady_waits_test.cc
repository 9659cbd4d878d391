// What waits with a limit hand to the kernel. This program's own syscall stands in front of the one that Abseil calls.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstdarg>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/clock/clock.h"
#include "test/support/test.h"

namespace {

std::atomic<int> wall_waits{0};
std::atomic<int> steady_waits{0};

void Note(long operation, long limit) {  // NOLINT: as the kernel has it
  if ((operation & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET || limit == 0) return;
  ++((operation & FUTEX_CLOCK_REALTIME) != 0 ? wall_waits : steady_waits);
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {  // NOLINT: as libc declares it
  static auto* real = reinterpret_cast<long (*)(long, ...)>(dlsym(RTLD_NEXT, "syscall"));  // NOLINT
  long a[6];                                                                               // NOLINT
  va_list arguments;
  va_start(arguments, number);
  for (auto& argument : a) argument = va_arg(arguments, long);  // NOLINT
  va_end(arguments);
  if (number == SYS_futex) Note(a[1], a[3]);
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

namespace chartly {

TEST_CASE("waits with a limit do not go by the wall clock, and keep to it") {
  absl::Mutex mutex;
  absl::CondVar changed;
  absl::Notification never;
  bool no = false;
  SystemClock clock;
  const int before = steady_waits;
  const absl::Time start = absl::Now();
  CHECK_FALSE(never.WaitForNotificationWithTimeout(absl::Milliseconds(20)));
  CHECK_FALSE(clock.WaitFor(absl::Milliseconds(20), never));
  {
    absl::MutexLock lock(&mutex);
    CHECK(changed.WaitWithTimeout(&mutex, absl::Milliseconds(20)));
    CHECK(changed.WaitWithDeadline(&mutex, absl::Now() + absl::Milliseconds(20)));
    CHECK_FALSE(mutex.AwaitWithTimeout(absl::Condition(&no), absl::Milliseconds(20)));
    // What is over already does not wait.
    CHECK(changed.WaitWithDeadline(&mutex, absl::UnixEpoch()));
  }
  CHECK(absl::Now() - start >= absl::Milliseconds(100));
  CHECK(wall_waits == 0);
  CHECK(steady_waits >= before + 5);
}

TEST_CASE("a wait with a limit ends when it is told to") {
  absl::Notification waits, told;
  std::thread teller([&] {
    waits.WaitForNotification();
    told.Notify();
  });
  const absl::Time start = absl::Now();
  waits.Notify();
  CHECK(told.WaitForNotificationWithTimeout(absl::Minutes(5)));
  CHECK(absl::Now() - start < absl::Minutes(4));
  teller.join();
  CHECK(wall_waits == 0);
}

}  // namespace chartly
