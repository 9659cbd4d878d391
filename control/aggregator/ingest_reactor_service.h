// One ingest stream. Only *_service files may see gRPC types, hence the name.
//
// Events come from gRPC's threads and from the commit thread. What they decide under the lock is done afterwards, in
// the order of the decisions and by one thread at a time, since gRPC may call back while it is being called.
#ifndef CHARTLY_CONTROL_AGGREGATOR_INGEST_REACTOR_SERVICE_H_
#define CHARTLY_CONTROL_AGGREGATOR_INGEST_REACTOR_SERVICE_H_

#include <deque>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "control/aggregator/ingest_service.h"

namespace chartly::aggregator {

// Bytes a drone may have unacked.
inline constexpr size_t kIngestWindowBytes = size_t{8} << 20;

class IngestReactor final : public grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse>,
                            public std::enable_shared_from_this<IngestReactor> {
 public:
  explicit IngestReactor(IngestService& service) : service_(service), start_(absl::Now()) {}

  // Admits the caller and waits for its hello. Called once, when a shared_ptr holds the reactor.
  void Begin(grpc::CallbackServerContext* context);
  // Ends the stream with `status` after what is being written.
  void Fail(const absl::Status& status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  absl::Status Readmit();
  absl::Status TakeHello(const v1::IngestHello& hello);
  void OnWelcome(const CommitResult& result);
  absl::Status TakeEntry(v1::IngestEntry entry);
  void OnCommitted(const CommitResult& result, size_t bytes);
  absl::StatusOr<CommitRequest> Prepare(v1::IngestEntry entry) const;

  void ReadMore();
  // Decide; the caller runs Act() after it has left the lock.
  void DecideWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DecideFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Act() ABSL_LOCKS_EXCLUDED(mu_);

  IngestService& service_;
  const absl::Time start_;
  grpc::CallbackServerContext* context_ = nullptr;  // of the call, which lasts until OnDone
  absl::Time admitted_at_;
  rpc::Caller caller_;
  Committer* committer_ = nullptr;  // of the tenant of the caller; null until it is admitted
  v1::IngestRequest request_;       // of the one read in progress
  v1::IngestResponse response_;     // of the one write in progress
  SpoolPosition spool_;             // set by hello, before any entry

  absl::Mutex mu_;
  std::deque<std::function<void()>> actions_ ABSL_GUARDED_BY(mu_);
  bool acting_ ABSL_GUARDED_BY(mu_) = false;
  bool greeted_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mu_) = false;
  bool paused_ ABSL_GUARDED_BY(mu_) = false;  // the next read waits for room
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  size_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;  // entries in the committer
  size_t in_flight_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t durable_seq_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t sent_seq_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_INGEST_REACTOR_SERVICE_H_
