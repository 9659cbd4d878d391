// One run: fetch, decode, normalize, batch, hand on. The drone hands batches to the spool; `chartly profile test`
// hands them to a list. Not thread-safe, but Cancel may be called from any thread.
#ifndef CHARTLY_DRONE_PIPELINE_PIPELINE_H_
#define CHARTLY_DRONE_PIPELINE_PIPELINE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/profile/partition.h"
#include "common/profile/profile.h"
#include "common/secrets/secrets.h"
#include "drone/capture/capture_store.h"
#include "drone/fetch/source.h"
#include "drone/pipeline/governor.h"
#include "drone/pipeline/shadow_run.h"

namespace chartly::drone {

// Takes packed batches, one after the other, from whichever thread of the run. OK means the batch is where it will not be
// lost; ResourceExhausted stops the run as failed unless the sink waits by itself until there is room.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // `fetched` is what the batch adds to the run: rows, filtered and quarantined. `cursor`, if there is one, is how far
  // the source was read with this batch, and takes effect together with it.
  virtual absl::Status Append(std::string batch, int64_t fetched, const Cursor* cursor) = 0;
};

struct RunSpec {
  Profile profile;
  std::string run_id;
  std::string drone_id;
  std::vector<Delivery> deliveries = {};  // of a webhook
  std::string tenant = "default";
  // What a run of a backfill covers. Such a run neither uses nor moves the cursor.
  std::optional<TimePart> partition = {};
  // A run over kept payloads, of those that were fetched then or later. It asks the source nothing, neither uses nor
  // moves the cursor, and limits and expectations of the profile do not hold for it. Requires: PipelineDeps::captures.
  std::optional<absl::Time> replay_since = {};
  std::string source_digest = {};  // of the profile's text (common/profile/fetch_difference.h)
};

struct PipelineDeps {
  net::HttpClient& http;
  Clock& clock;
  std::string source_dir;
  BatchSink& sink;
  // Told after every page and batch: rows fetched, rows handed on, pages. May be empty.
  std::function<void(int64_t fetched, int64_t handed_on, int pages)> progress = nullptr;
  const Secrets* secrets = nullptr;  // these three as in SourceDeps
  HostGate* gate = nullptr;
  TokenCache* tokens = nullptr;
  Cursor cursor = {};            // of the profile's last run; not used if another revision wrote it
  Governor* governor = nullptr;  // what all runs take together; null: as much as they like
  FleetQuota* quota = nullptr;   // as in SourceDeps
  ShadowRun* shadow = nullptr;   // reads along; null: nobody does
  Clock* steady = nullptr;       // as in SourceDeps
  // Keeps payloads if the profile wants it; null: none are kept.
  CaptureStore* captures = nullptr;
};

class Pipeline {
 public:
  Pipeline(RunSpec spec, PipelineDeps deps);
  ~Pipeline();
  // Runs to the end and tells how it went. Never throws and never loses what it handed on: an error is in the answer
  // (error_reason, error), with the counts up to it. What the profile's limits cut off, or does not give what it
  // expects (EXPECTATION_FAILED), is `truncated`: partial, and no failure.
  v1::RunEnd Run();
  // What the next run begins with. Nothing unless Run came to a good end: what was cut off is asked for again.
  const std::optional<Cursor>& cursor() const;
  void Cancel();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_PIPELINE_H_
