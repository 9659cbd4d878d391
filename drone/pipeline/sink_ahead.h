// Hands batches to a sink while the next one is made: the sink waits for a disk, for which the run need not wait. In
// order, one at a time. The first goes on the caller's thread, for most runs have one; a thread comes with the second.
//
// Append and Finish from one thread, done from any.
#ifndef CHARTLY_DRONE_PIPELINE_SINK_AHEAD_H_
#define CHARTLY_DRONE_PIPELINE_SINK_AHEAD_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "drone/pipeline/pipeline.h"

namespace chartly::drone {

class SinkAhead {
 public:
  // The sink must outlive it, and be prepared for calls from another thread.
  explicit SinkAhead(BatchSink& sink) : sink_(sink) {}
  ~SinkAhead();
  SinkAhead(const SinkAhead&) = delete;
  SinkAhead& operator=(const SinkAhead&) = delete;

  // Takes a batch once the sink is through with the one before. If the sink refused that or an earlier one, this one is
  // not taken, and what the sink said comes back.
  [[nodiscard]] absl::Status Append(std::string batch, int64_t fetched, std::optional<Cursor> cursor);
  // Waits until the sink is through with all. OK, or what it said of the first that it refused.
  [[nodiscard]] absl::Status Finish();
  // What the batches add to the run that the sink has taken.
  int64_t done() const { return done_; }

 private:
  struct Item {
    std::string batch;
    int64_t fetched = 0;
    std::optional<Cursor> cursor;
  };
  absl::Status HandOn(Item item);
  void Run();

  BatchSink& sink_;
  std::atomic<int64_t> done_{0};
  bool began_ = false;
  absl::Mutex mu_;
  std::optional<Item> item_ ABSL_GUARDED_BY(mu_);  // with the sink, or on its way there
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_SINK_AHEAD_H_
