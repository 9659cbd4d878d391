// An Uplink keeps one Ingest stream to the aggregator and sends it the spool, entry by entry, until each is acked; what
// the aggregator has checkpointed is released from the spool. It reconnects for ever, resumes where the aggregator says
// it is durable, and never has more bytes unacked than the aggregator allows. docs/formats/spool.md ("On the wire")
// tells how entries are numbered.
//
// Thread-safe. Start returns at once; nothing is sent before SetEpoch. Shutdown is safe twice and before Start. The
// spool must outlive it.
#ifndef CHARTLY_DRONE_UPLINK_UPLINK_H_
#define CHARTLY_DRONE_UPLINK_UPLINK_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "drone/spool/spool.h"

namespace chartly::drone {

class IngestStream;

struct UplinkOptions {
  std::string drone_id;
  absl::Duration min_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
  absl::Duration welcome_timeout = absl::Seconds(10);
  absl::Duration ack_timeout = absl::Seconds(30);  // without any ack while entries are unacked
};

struct UplinkDeps {
  Spool& spool;
  std::shared_ptr<grpc::Channel> channel;
  // Told that the aggregator refuses this epoch, so that the drone registers anew; called from the uplink's thread.
  // Sending waits for another epoch. May be empty.
  std::function<void(int64_t epoch)> on_fenced;
};

class Uplink {
 public:
  Uplink(UplinkOptions options, UplinkDeps deps);
  ~Uplink();
  void Start();
  // The epoch of the newest registration; a stream of another one is given up.
  void SetEpoch(int64_t epoch);
  // Goes on until everything in the spool is acked, at most `drain`, then ends the stream and joins.
  void Shutdown(absl::Duration drain);
  // OK while the aggregator has welcomed us, else why not.
  absl::Status health() const;

 private:
  void Run();
  // One stream from hello to its end.
  absl::Status RunStream(int64_t epoch, bool* progressed);
  void OnStreamEnd(int64_t epoch, const absl::Status& status, bool progressed);
  bool AwaitEpoch(int64_t* epoch);
  void Wait(absl::Duration duration);

  const UplinkOptions options_;
  const UplinkDeps deps_;
  std::thread thread_;
  std::mt19937_64 random_{std::random_device{}()};
  absl::Duration backoff_;
  int64_t sent_seq_ = 0;  // highest this process ever sent; only Run's thread

  mutable absl::Mutex mu_;
  absl::CondVar changed_;
  int64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fenced_epoch_ ABSL_GUARDED_BY(mu_) = 0;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  IngestStream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_UPLINK_UPLINK_H_
