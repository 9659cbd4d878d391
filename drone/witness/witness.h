// Asks the control plane for the checkpoint of its audit log, again and again, and alarms when the log is not the one
// that was seen before: in the log of the drone and in a metric. Its runs go on: that is another matter.
//
// Thread-safe. Start returns at once; Shutdown is safe twice and before Start.
#ifndef CHARTLY_DRONE_WITNESS_WITNESS_H_
#define CHARTLY_DRONE_WITNESS_WITNESS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/audit.grpc.pb.h"
#include "drone/witness/witnessed_log.h"

namespace chartly::drone {

class Witness {
 public:
  Witness(WitnessedLog log, const std::shared_ptr<grpc::Channel>& audit, absl::Duration interval);
  ~Witness() { Shutdown(); }
  void Start();
  void Shutdown();

 private:
  void Run();
  absl::Status Ask();
  void Report(const absl::Status& status);

  WitnessedLog log_;      // of the thread alone
  bool alarmed_ = false;  // of the thread alone: the last answer was no good
  const std::unique_ptr<v1::AuditService::Stub> stub_;
  const absl::Duration interval_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mu_) = nullptr;  // while one runs
  std::thread thread_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_WITNESS_WITNESS_H_
