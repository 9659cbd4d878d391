// Hands the batches of one run to the spool, and waits there while it is full: that is how pressure runs backwards to
// the source. Append is called by one thread of the run at a time; Cancel and the counts may be used from any.
#ifndef CHARTLY_DRONE_SESSION_SPOOL_SINK_H_
#define CHARTLY_DRONE_SESSION_SPOOL_SINK_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "drone/pipeline/pipeline.h"
#include "drone/spool/spool.h"

namespace chartly::drone {

class SpoolSink final : public BatchSink {
 public:
  // The spool must outlive the sink. Requires: the run was begun.
  SpoolSink(Spool& spool, std::string run_id) : spool_(spool), run_id_(std::move(run_id)) {}
  // OK once the batch is on disk; Cancelled while waiting for room, and then the batch is not taken.
  absl::Status Append(std::string batch, int64_t fetched, const Cursor* cursor) override;
  void SetPages(int32_t pages) { pages_ = pages; }
  void Cancel() { cancelled_ = true; }
  // Rows that are on disk.
  int64_t spooled() const { return spooled_; }

 private:
  Spool& spool_;
  const std::string run_id_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<int64_t> spooled_ = 0;
  std::atomic<int32_t> pages_ = 0;
  int32_t pages_spooled_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SESSION_SPOOL_SINK_H_
