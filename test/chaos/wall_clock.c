// A wall clock of its own for one process, set by whoever runs it (LD_PRELOAD; WallClock in faults.py). WALL_CLOCK
// names a file of eight bytes: by how many nanoseconds the clock is off. It may be written at any time.
//
// Clocks: CLOCK_REALTIME, its coarse twin, gettimeofday and time are off by that; the steady ones are those of the
// machine. Waits until a moment of the wall clock end when the moved clock shows it, as the kernel does it: one that
// was set forward ends them at once, and one that was set back lets them go on for so much longer. That is looked at
// every 20 ms. Seen are the calls by which Chartly's programs and their libraries wait so: futex, for Abseil and
// through it gRPC, and pthread_cond_timedwait, for RocksDB.
//
// Not moved: what the kernel stamps by itself (times of files, of packets), and other processes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define LOOK INT64_C(20000000)

static const int64_t none;
static const int64_t* offset = &none;
static long (*real_syscall)(long, ...);
static int (*real_clock_gettime)(clockid_t, struct timespec*);
static int (*real_cond_timedwait)(pthread_cond_t*, pthread_mutex_t*, const struct timespec*);
static int (*real_cond_clockwait)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);

// Constructors of other libraries may ask for the time before ours runs.
#define FIND(name) \
  if (real_##name == NULL) *(void**)&real_##name = find(#name)

static void* find(const char* name) {
  char full[64];
  snprintf(full, sizeof(full), "%s%s", strncmp(name, "cond_", 5) == 0 ? "pthread_" : "", name);
  void* found = dlsym(RTLD_NEXT, full);
  if (found == NULL) abort();
  return found;
}

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("WALL_CLOCK");
  const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void* mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) offset = mapped;
}

static int64_t now_off(void) { return __atomic_load_n(offset, __ATOMIC_RELAXED); }

static int64_t nanos(const struct timespec* time) { return time->tv_sec * SECOND + time->tv_nsec; }

static struct timespec timespec_of(int64_t nanos) {
  struct timespec time = {nanos / SECOND, nanos % SECOND};
  return time;
}

static int64_t machine_now(void) {
  struct timespec now;
  FIND(clock_gettime);
  real_clock_gettime(CLOCK_REALTIME, &now);
  return nanos(&now);
}

// Until when to wait in the kernel before the clock is looked at again.
static struct timespec next_look(const struct timespec* until) {
  const int64_t end = nanos(until) - now_off(), look = machine_now() + LOOK;
  return timespec_of(end < 0 ? 0 : end < look ? end : look);
}

static int is_over(const struct timespec* until) { return machine_now() + now_off() >= nanos(until); }

int clock_gettime(clockid_t clock, struct timespec* time) {
  FIND(clock_gettime);
  const int result = real_clock_gettime(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = timespec_of(nanos(time) + now_off());
  }
  return result;
}

int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  (void)zone;
  const int64_t now = machine_now() + now_off();
  *time = (struct timeval){now / SECOND, now % SECOND / 1000};
  return 0;
}

time_t time(time_t* out) {
  const time_t now = (machine_now() + now_off()) / SECOND;
  if (out != NULL) *out = now;
  return now;
}

long syscall(long number, ...) {
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(arguments, long);
  va_end(arguments);
  FIND(syscall);
  const struct timespec* until = (const struct timespec*)a[3];
  const int is_wait = number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
  if (!is_wait || (a[1] & FUTEX_CLOCK_REALTIME) == 0 || until == NULL) {
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  // The kernel compares the word anew each time, so nothing that happens between two looks is missed.
  while (1) {
    const struct timespec look = next_look(until);
    const long result = real_syscall(number, a[0], a[1], a[2], &look, a[4], a[5]);
    if (result != -1 || errno != ETIMEDOUT || is_over(until)) return result;
  }
}

// Between two looks a signal could be missed, so the caller looks itself: it has to reckon with waking for nothing.
static int woken(int result, const struct timespec* until) {
  return result == ETIMEDOUT && !is_over(until) ? 0 : result;
}

int pthread_cond_timedwait(pthread_cond_t* restrict cond, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  FIND(cond_timedwait);
  // As pthread_condattr_setclock left it in glibc.
  if ((cond->__data.__wrefs & 2) != 0) return real_cond_timedwait(cond, mutex, until);
  const struct timespec look = next_look(until);
  return woken(real_cond_timedwait(cond, mutex, &look), until);
}

int pthread_cond_clockwait(pthread_cond_t* restrict cond, pthread_mutex_t* restrict mutex, clockid_t clock,
                           const struct timespec* restrict until) {
  FIND(cond_clockwait);
  if (clock != CLOCK_REALTIME) return real_cond_clockwait(cond, mutex, clock, until);
  const struct timespec look = next_look(until);
  return woken(real_cond_clockwait(cond, mutex, clock, &look), until);
}
