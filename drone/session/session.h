// The drone's conversation with the coordinator: registers (for ever, with backoff), keeps one stream on which it beats
// at the interval that it is told and whenever a run begins or ends, hands orders and cancellations to the executor as
// they come, and reports how the runs go. Registers again when the coordinator does not know the drone or has fenced
// its epoch. A coordinator of before there were streams is asked at the interval instead.
//
// Thread-safe. Start returns at once. Shutdown is safe twice and before Start.
#ifndef CHARTLY_DRONE_SESSION_SESSION_H_
#define CHARTLY_DRONE_SESSION_SESSION_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.grpc.pb.h"
#include "drone/fetch/fleet_quota.h"
#include "drone/session/attend_stream.h"
#include "drone/session/run_executor.h"
#include "drone/spool/spool.h"

namespace chartly::drone {

struct SessionOptions {
  std::string drone_id;
  std::map<std::string, std::string> labels;
  int capacity = 4;
  std::string version;
  v1::DroneConsent consent;  // told, so that refusals can be foreseen
  absl::Duration min_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
};

struct SessionDeps {
  std::shared_ptr<grpc::Channel> coordinator;
  Spool& spool;
  RunExecutor& executor;
  std::function<void(int64_t epoch)> on_epoch;  // after each registration; may be empty
  // After a while without runs, once until there is one again. May be empty.
  std::function<void()> on_idle = nullptr;
  FleetQuota* quota = nullptr;       // told of and given turns; may be null
  CaptureStore* captures = nullptr;  // told of; may be null
};

class Session {
 public:
  Session(SessionOptions options, SessionDeps deps);
  ~Session();
  void Start();
  // Somebody refused this epoch: registers anew unless that was done already.
  void OnFenced(int64_t epoch);
  // Reports soon instead of at the next beat.
  void Wake();
  // Takes no more orders; stops the executor; tells the coordinator how the runs ended, if it answers within a second.
  void Shutdown();
  // OK while the coordinator answers, else why not.
  absl::Status health() const;

 private:
  using Instant = std::chrono::steady_clock::time_point;
  // The last beat on a stream.
  struct SentBeat {
    int64_t sequence = 0;
    bool unanswered = false;
    Instant at;
    std::vector<v1::RunProgress> runs;
  };

  void Run();
  absl::Status Call(absl::Duration timeout, const std::function<grpc::Status(grpc::ClientContext*)>& call);
  absl::Status Register();
  // One stream, from its opening to its end. OK if the drone stops or is to register.
  absl::Status Attend();
  absl::Status Converse(AttendStream& stream);
  absl::Status SendBeat(AttendStream& stream, SentBeat& sent);
  absl::Status TakeAnswer(const v1::HeartbeatResponse& answer, SentBeat& sent);
  bool TakeWoken();
  // Waits for an answer, the time, or, unless a beat is unanswered, for something to tell. False once it is to stop.
  bool AwaitNews(Instant until, bool unanswered);
  // One beat as a call of its own.
  absl::Status Beat(absl::Duration timeout);
  // Says what to tell; false if the drone must register.
  bool FillBeat(v1::HeartbeatRequest& beat);
  // Does what an answer says; true if there is something to tell of it.
  bool Obey(const v1::HeartbeatResponse& answer);
  absl::Duration PauseAfterFailure() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnFailure(const absl::Status& status, absl::string_view what);
  void CountIdle();
  bool Sleep(absl::Duration duration);

  const SessionOptions options_;
  const SessionDeps deps_;
  std::unique_ptr<v1::CoordinatorService::Stub> stub_;
  std::thread thread_;
  std::mt19937_64 random_{std::random_device{}()};
  absl::Duration backoff_;
  int beats_ = 0;       // since the registration
  int idle_ = 0;        // rounds without a run
  bool polls_ = false;  // the coordinator has no streams

  mutable absl::Mutex mu_;
  absl::CondVar changed_;
  int64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;  // 0: must register
  absl::Duration interval_ ABSL_GUARDED_BY(mu_) = absl::Seconds(1);
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mu_) = nullptr;  // while one runs
  AttendStream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;       // while there is one
  bool news_ ABSL_GUARDED_BY(mu_) = false;                    // from the stream
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SESSION_SESSION_H_
