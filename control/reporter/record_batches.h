// Batches from the aggregator, over its ScanBatches stream. One a call; ends when the caller of that call does.
#ifndef CHARTLY_CONTROL_REPORTER_RECORD_BATCHES_H_
#define CHARTLY_CONTROL_REPORTER_RECORD_BATCHES_H_

#include "absl/time/time.h"
#include "common/rpc/peers.h"
#include "control/reporter/batch_source.h"

namespace chartly::reporter {

class RecordBatches final : public BatchSource {
 public:
  // `caller` is the call on whose behalf this reads: its deadline and cancellation pass on. All must outlive this.
  RecordBatches(const rpc::Peers& peers, const grpc::ServerContext& caller, absl::Duration timeout)
      : peers_(peers), caller_(caller), timeout_(timeout) {}
  // Also the errors of the call, with the address of the aggregator.
  absl::Status Scan(const std::string& profile_id,
                    absl::FunctionRef<absl::Status(absl::string_view batch, absl::string_view current)> take) override;

 private:
  const rpc::Peers& peers_;
  const grpc::ServerContext& caller_;
  const absl::Duration timeout_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_RECORD_BATCHES_H_
