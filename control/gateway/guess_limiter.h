// How often an address may show a key that is none. Thread-safe; memory is bounded by kMaxAddresses.
#ifndef CHARTLY_CONTROL_GATEWAY_GUESS_LIMITER_H_
#define CHARTLY_CONTROL_GATEWAY_GUESS_LIMITER_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace chartly::gateway {

class GuessLimiter {
 public:
  // So many wrong keys in a row, and then one more each kRefill.
  static constexpr int kBurst = 20;
  static constexpr absl::Duration kRefill = absl::Seconds(6);
  static constexpr size_t kMaxAddresses = 10000;

  // ResourceExhausted (GUESSES_TOO_MANY, with retry_after_seconds) if the address has none left: then no key of it is
  // looked at, right or wrong, so that the answer tells nothing.
  absl::Status Check(const std::string& address, absl::Time now);
  // The address has shown a wrong key.
  void NoteWrong(const std::string& address, absl::Time now);

 private:
  // When all guesses are back. Each wrong key moves it by kRefill.
  std::map<std::string, absl::Time> settled_ ABSL_GUARDED_BY(mu_);
  absl::Mutex mu_;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_GUESS_LIMITER_H_
