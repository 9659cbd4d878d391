// Names in the order of the time when each is due. A name has one time. Not thread-safe.
#ifndef CHARTLY_CONTROL_COORDINATOR_DUE_QUEUE_H_
#define CHARTLY_CONTROL_COORDINATOR_DUE_QUEUE_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace chartly::coordinator {

class DueQueue {
 public:
  // Replaces the time that the name had; the infinite future takes it out.
  void Set(const std::string& name, absl::Time due) {
    Remove(name);
    if (due == absl::InfiniteFuture()) return;
    times_[name] = due;
    queue_.emplace(due, name);
  }
  void Remove(absl::string_view name) {
    auto it = times_.find(name);
    if (it == times_.end()) return;
    queue_.erase({it->second, it->first});
    times_.erase(it);
  }
  bool Has(absl::string_view name) const { return times_.contains(name); }
  // Takes out those that are due, the first of them first.
  std::vector<std::string> TakeDue(absl::Time now) {
    std::vector<std::string> due;
    while (!queue_.empty() && queue_.begin()->first <= now) {
      due.push_back(queue_.begin()->second);
      Remove(due.back());
    }
    return due;
  }

 private:
  absl::flat_hash_map<std::string, absl::Time> times_;
  std::set<std::pair<absl::Time, std::string>> queue_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_DUE_QUEUE_H_
