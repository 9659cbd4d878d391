// Batches from the aggregator, over its ScanBatches stream. One a call; ends when the caller of that call does, if it
// has one.
#ifndef CHARTLY_CONTROL_REPORTER_RECORD_BATCHES_H_
#define CHARTLY_CONTROL_REPORTER_RECORD_BATCHES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/rpc/peers.h"
#include "control/reporter/batch_source.h"

namespace chartly::reporter {

class RecordBatches final : public BatchSource {
 public:
  // `caller` is the call on whose behalf this reads: its deadline and cancellation pass on. All must outlive this.
  // Null for what nobody called for; `stop`, if given, ends it too. An infinite `as_of` is all there is.
  RecordBatches(const rpc::Peers& peers, const grpc::ServerContext* caller, absl::Duration timeout, absl::Time as_of,
                const absl::Notification* stop = nullptr)
      : peers_(peers), caller_(caller), timeout_(timeout), as_of_(as_of), stop_(stop) {}
  // Also the errors of the call, with the address of the aggregator.
  absl::Status Scan(const std::string& profile_id, const ScanSpan* only, Take take) override;
  absl::StatusOr<std::vector<KeyStretch>> Outline(const std::string& profile_id, const std::string& dim) override;

  // The profiles that have records, in order.
  absl::StatusOr<std::vector<std::string>> Profiles();

 private:
  std::unique_ptr<grpc::ClientContext> MakeContext() const;
  v1::ScanBatchesRequest Question(const std::string& profile_id) const;
  // Calls `take` with each answer of the aggregator.
  absl::Status Stream(const v1::ScanBatchesRequest& question,
                      absl::FunctionRef<absl::Status(const v1::ScanBatchesResponse&)> take);
  bool IsCancelled() const {
    return (caller_ != nullptr && caller_->IsCancelled()) || (stop_ != nullptr && stop_->HasBeenNotified());
  }

  const rpc::Peers& peers_;
  const grpc::ServerContext* const caller_;
  const absl::Duration timeout_;
  const absl::Time as_of_;
  const absl::Notification* const stop_;
  mutable absl::Mutex mutex_;
  std::map<std::string, int64_t> last_batches_ ABSL_GUARDED_BY(mutex_);  // that outlines saw, by profile
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_RECORD_BATCHES_H_
