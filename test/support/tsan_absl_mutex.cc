// Shows absl::Mutex, CondVar and Notification to ThreadSanitizer. Linked into the tests of the tsan preset only.
//
// Abseil comes as a package without instrumentation, so ThreadSanitizer does not see that its locks order anything and
// reports every guarded access. The definitions here stand in front of the library's: each tells the order and calls
// the real one. Condition functions that the library evaluates while it unlocks are covered by tsan.supp.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/base/config.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

extern "C" {
void __tsan_acquire(void* address);  // NOLINT
void __tsan_release(void* address);  // NOLINT
}

#define CHARTLY_TEXT_INNER(x) #x
#define CHARTLY_TEXT(x) CHARTLY_TEXT_INNER(x)

namespace {

// The next definition of a method of absl: "5Mutex4LockEv" behind the inline namespace of this build.
void* Real(const char* mangled_tail, const char* qualifier = "") {
  std::string inner = CHARTLY_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
#if defined(ABSL_LTS_RELEASE_VERSION)
  std::string lts = "lts_" CHARTLY_TEXT(ABSL_LTS_RELEASE_VERSION);
#else
  std::string lts;
#endif
  for (std::string name : {inner, lts}) {
    if (name.empty()) continue;
    std::string prefix = std::to_string(name.size()) + name;
    std::string tail = mangled_tail;
    for (size_t at = tail.find('@'); at != std::string::npos; at = tail.find('@')) tail.replace(at, 1, prefix);
    std::string symbol = std::string("_ZN") + qualifier + "4absl" + prefix + tail;
    if (void* found = dlsym(RTLD_NEXT, symbol.c_str())) return found;
  }
  std::fprintf(stderr, "no real definition of absl %s\n", mangled_tail);
  std::abort();
}

template <typename Function>
Function* RealAs(const char* mangled_tail, const char* qualifier = "") {
  return reinterpret_cast<Function*>(Real(mangled_tail, qualifier));
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* real = RealAs<void(Mutex*)>("5Mutex4LockEv");
  real(this);
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  static auto* real = RealAs<void(Mutex*)>("5Mutex6UnlockEv");
  __tsan_release(this);
  real(this);
}

bool Mutex::TryLock() {
  static auto* real = RealAs<bool(Mutex*)>("5Mutex7TryLockEv");
  bool locked = real(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::ReaderLock() {
  static auto* real = RealAs<void(Mutex*)>("5Mutex10ReaderLockEv");
  real(this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static auto* real = RealAs<void(Mutex*)>("5Mutex12ReaderUnlockEv");
  __tsan_release(this);
  real(this);
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* real = RealAs<void(Mutex*, const Condition&)>("5Mutex8LockWhenERKNS0_9ConditionE");
  real(this, condition);
  __tsan_acquire(this);
}

void Mutex::Await(const Condition& condition) {
  static auto* real = RealAs<void(Mutex*, const Condition&)>("5Mutex5AwaitERKNS0_9ConditionE");
  __tsan_release(this);
  real(this, condition);
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* real =
      RealAs<bool(Mutex*, const Condition&, Duration)>("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_release(this);
  bool held = real(this, condition, timeout);
  __tsan_acquire(this);
  return held;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* real =
      RealAs<bool(Mutex*, const Condition&, Time)>("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  __tsan_release(this);
  bool held = real(this, condition, deadline);
  __tsan_acquire(this);
  return held;
}

void CondVar::Wait(Mutex* mutex) {
  static auto* real = RealAs<void(CondVar*, Mutex*)>("7CondVar4WaitEPNS0_5MutexE");
  __tsan_release(mutex);
  real(this, mutex);
  __tsan_acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* real = RealAs<bool(CondVar*, Mutex*, Duration)>("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  __tsan_release(mutex);
  bool late = real(this, mutex, timeout);
  __tsan_acquire(mutex);
  return late;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* real = RealAs<bool(CondVar*, Mutex*, Time)>("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  __tsan_release(mutex);
  bool late = real(this, mutex, deadline);
  __tsan_acquire(mutex);
  return late;
}

void Notification::Notify() {
  static auto* real = RealAs<void(Notification*)>("12Notification6NotifyEv");
  __tsan_release(this);
  real(this);
}

void Notification::WaitForNotification() const {
  static auto* real = RealAs<void(const Notification*)>("12Notification19WaitForNotificationEv", "K");
  real(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* real =
      RealAs<bool(const Notification*, Duration)>("12Notification30WaitForNotificationWithTimeoutENS0_8DurationE", "K");
  bool notified = real(this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static auto* real =
      RealAs<bool(const Notification*, Time)>("12Notification31WaitForNotificationWithDeadlineENS0_4TimeE", "K");
  bool notified = real(this, deadline);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl
