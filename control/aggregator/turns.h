// Steps that several threads prepare at once and finish one after the other, in order. The first that fails ends all.
// Thread-safe. Header only.
#ifndef CHARTLY_CONTROL_AGGREGATOR_TURNS_H_
#define CHARTLY_CONTROL_AGGREGATOR_TURNS_H_

#include <cstddef>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace chartly::aggregator {

class Turns {
 public:
  explicit Turns(size_t steps) : steps_(steps) {}

  // A step for this thread to prepare; nothing once all are taken, or one failed.
  std::optional<size_t> Take() {
    absl::MutexLock lock(&mu_);
    if (next_ == steps_ || !status_.ok()) return std::nullopt;
    return next_++;
  }
  // Waits until the steps before it are finished. False if one failed: then this one is not to be finished.
  bool Await(size_t step) {
    absl::MutexLock lock(&mu_);
    auto its_turn = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return turn_ == step || !status_.ok(); };
    mu_.Await(absl::Condition(&its_turn));
    return status_.ok();
  }
  // The step whose turn it is came to this.
  void End(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    status_.Update(status);
    ++turn_;
  }
  // OK, or what failed first.
  absl::Status status() const {
    absl::MutexLock lock(&mu_);
    return status_;
  }

 private:
  const size_t steps_;
  mutable absl::Mutex mu_;
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;  // step that nobody has taken
  size_t turn_ ABSL_GUARDED_BY(mu_) = 0;  // step that is to be finished
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_TURNS_H_
