// Does the runs that were ordered, each in a thread of its own, at most `capacity` at once. Every run that began gets
// exactly one end in the spool: by itself, by Cancel, by Stop (DRONE_STOPPED), or, if the process died, by the next one
// (DRONE_RESTARTED, with what had become durable).
//
// A revision that this host does not let run, or that this drone does not understand, is not run: the last one that ran
// well takes its place, if there is one, and the run ends as partial with the reason and the revision that ran.
//
// Thread-safe. Stop is safe twice; the destructor stops.
#ifndef CHARTLY_DRONE_SESSION_RUN_EXECUTOR_H_
#define CHARTLY_DRONE_SESSION_RUN_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/profile/consent.h"
#include "drone/pipeline/pipeline.h"
#include "drone/session/spool_sink.h"
#include "drone/spool/spool.h"
#include "drone/trust/kept_revisions.h"
#include "drone/trust/profile_trust.h"

namespace chartly::drone {

struct RunExecutorDeps {
  Spool& spool;
  net::HttpClient& http;
  Clock& clock;
  std::string source_dir;
  std::string drone_id;
  std::function<void()> on_finished;  // called from the run's thread; may be empty
  // Shared by all runs, as in PipelineDeps; each may be null.
  const Secrets* secrets = nullptr;
  HostGate* gate = nullptr;
  TokenCache* tokens = nullptr;
  Governor* governor = nullptr;
  const Consent* consent = nullptr;  // of who owns the host; null: to anything
  ProfileTrust* trust = nullptr;     // null: any profile runs, signed or not
  KeptRevisions* good = nullptr;     // the last revision of each profile that ran well; null: none is kept
  FleetQuota* quota = nullptr;       // as in PipelineDeps
  std::string tenant = "default";    // that the drone works for
  Clock* steady = nullptr;           // as in PipelineDeps
  CaptureStore* captures = nullptr;  // null: no payloads are kept, and none can be gone through again
};

class RunExecutor {
 public:
  RunExecutor(int capacity, RunExecutorDeps deps);
  ~RunExecutor();
  // Begins an ordered run; says whether there is something new to tell of it. Does nothing if the run is known
  // (running, or finished and perhaps not yet heard of), if all places are taken, if the spool cannot note it, or after
  // Stop: orders are repeated.
  bool Start(const v1::RunOrder& order);
  // Ends a run as cancelled by an operator. An unknown one is ignored.
  void Cancel(const std::string& run_id);
  // Runs in progress, and finished ones that were not acknowledged.
  std::vector<v1::RunProgress> Progress() const;
  // The coordinator has heard of these; finished ones are not told again.
  void Acknowledge(const std::vector<v1::RunProgress>& reported);
  // Ends runs of the last process that could not be ended yet, and joins threads that are done. Call it now and then.
  void Tidy();
  // Starts no more, ends the running ones as failed with DRONE_STOPPED, and waits for them.
  void Stop();

 private:
  struct Active {
    Active(Spool& spool, const std::string& run_id) : sink(spool, run_id) {}
    SpoolSink sink;
    std::atomic<int64_t> fetched = 0;
    std::atomic<int32_t> pages = 0;
    std::atomic<bool> cancelled = false;     // by an operator
    std::optional<v1::ShadowResult> shadow;  // the run's thread's
    absl::Mutex mu;
    Pipeline* pipeline ABSL_GUARDED_BY(mu) = nullptr;
    bool stop ABSL_GUARDED_BY(mu) = false;
    std::thread thread;
  };
  void Work(Active& run, v1::RunOrder& order);
  // `cursor` is what the next run begins with, if this one came to a good end.
  v1::RunEnd Execute(Active& run, v1::RunOrder& order, std::optional<Cursor>& cursor);
  absl::StatusOr<Profile> ProfileOf(const v1::RunOrder& order) const;
  // The same, of a text that is trusted.
  absl::StatusOr<Profile> Understand(const v1::RunOrder& order) const;
  // Puts the last good revision into the order, whose own one is refused for `why`; `why` again if there is none.
  absl::StatusOr<Profile> FallBack(v1::RunOrder& order, const absl::Status& why) const;
  void KeepGood(const v1::RunOrder& order, const v1::RunEnd& end) const;
  PipelineDeps PipelineDepsOf(Active& run, const v1::RunOrder& order);
  // The text that the order wants tried beside its own, held to the same as that one.
  absl::StatusOr<Profile> ShadowOf(const v1::RunOrder& order) const;
  bool AppendEnd(const v1::RunEnd& end, const Cursor* cursor);
  static void StopRun(Active& run);
  void RememberLocked(v1::RunProgress progress) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int capacity_;
  const RunExecutorDeps deps_;
  std::atomic<bool> stopping_ = false;
  mutable absl::Mutex mu_;
  std::map<std::string, std::unique_ptr<Active>> active_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Active>> ended_ ABSL_GUARDED_BY(mu_);  // threads to join
  std::map<std::string, v1::RunProgress> finished_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::RunEnd> cut_off_ ABSL_GUARDED_BY(mu_);  // by the end of the last process
  // The last runs that finished, so that a repeated order does not start one again.
  std::map<std::string, v1::RunProgress> done_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> done_order_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SESSION_RUN_EXECUTOR_H_
