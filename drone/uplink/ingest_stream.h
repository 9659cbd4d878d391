// One Ingest stream: the caller's thread writes, a thread of its own reads. Acks move the spool's watermark.
//
// Run is called once. Wake and Cancel may be called from any thread while it runs.
#ifndef CHARTLY_DRONE_UPLINK_INGEST_STREAM_H_
#define CHARTLY_DRONE_UPLINK_INGEST_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "drone/spool/spool.h"
#include "drone/uplink/uplink.h"

namespace chartly::drone {

class IngestStream {
 public:
  // `sent_seq` is the highest seq this process ever sent; it is kept up to date.
  IngestStream(const UplinkOptions& options, Spool& spool, std::shared_ptr<grpc::Channel> channel, int64_t* sent_seq);
  // Says hello and sends until the stream ends, is cancelled, or has nothing left to send while draining. OK only for
  // the last and for a spool that took a new identity (then a new stream is due at once). `on_welcome` is called when
  // the aggregator has answered.
  absl::Status Run(int64_t epoch, const std::function<void()>& on_welcome);
  // There may be more to send.
  void Wake();
  // Ends when everything in the spool is acked.
  void Drain();
  void Cancel();
  // Whether the aggregator acked anything new on this stream.
  bool progressed() const;

 private:
  using Stub = v1::IngestService::Stub;
  using Call = grpc::ClientReaderWriter<v1::IngestRequest, v1::IngestResponse>;
  using Instant = std::chrono::steady_clock::time_point;

  absl::Status Talk(Call& call, int64_t epoch, const std::function<void()>& on_welcome);
  absl::Status AwaitWelcome(v1::IngestWelcome* welcome);
  absl::Status Resume(const v1::IngestWelcome& welcome, bool* rebased);
  absl::Status SendAll(Call& call);
  absl::Status Send(Call& call, SpoolEntry entry);
  void TellDamage(v1::RunEnd& end) const;
  // Waits until there may be more to send; with *drained set, until there is nothing left that is not acked.
  absl::Status AwaitWork(bool* drained);
  absl::Status AwaitWindow(size_t bytes);
  absl::Status AwaitAllAcked();
  bool AwaitClosed(absl::Duration timeout);
  void ReadLoop(Call& call);
  absl::Status OnAck(const v1::IngestAck& ack);
  // Waits a moment; not OK if the stream is over or the aggregator acks nothing any more.
  absl::Status WaitLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Rebased(const SpoolIdentity& identity, absl::string_view why);

  const UplinkOptions& options_;
  Spool& spool_;
  std::unique_ptr<Stub> stub_;
  grpc::ClientContext context_;
  int64_t* sent_seq_;
  SpoolIdentity identity_;
  int64_t next_seq_ = 1;                                    // only the writing thread
  int64_t last_seq_ = std::numeric_limits<int64_t>::max();  // of this identity; only the writing thread

  mutable absl::Mutex mu_;
  absl::CondVar changed_;
  std::optional<v1::IngestWelcome> welcome_ ABSL_GUARDED_BY(mu_);
  std::deque<std::pair<int64_t, size_t>> unacked_ ABSL_GUARDED_BY(mu_);
  size_t unacked_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  size_t window_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t acked_seq_ ABSL_GUARDED_BY(mu_) = 0;
  Instant last_ack_ ABSL_GUARDED_BY(mu_);  // or when the first unacked entry was sent
  bool progressed_ ABSL_GUARDED_BY(mu_) = false;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;  // nothing more can be read
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_UPLINK_INGEST_STREAM_H_
