// The ledger of deployments: which release went to which environment, by whom, and how it stands.
//
//   active <-> paused, active -> completed; completed is the end.
//
// Kept over a StateStore: deployment/{number} and request/{request_id}, both v1.Deployment messages. Thread-safe. The
// store and the clock must outlive it.
#ifndef CHARTLY_CONTROL_RELEASES_DEPLOYMENT_LEDGER_H_
#define CHARTLY_CONTROL_RELEASES_DEPLOYMENT_LEDGER_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/releases.pb.h"
#include "common/clock/clock.h"
#include "common/state/state_store.h"

namespace chartly::releases {

class DeploymentLedger {
 public:
  static constexpr size_t kMaxReasonBytes = 1024;
  static constexpr size_t kMaxRequestIdBytes = 128;

  DeploymentLedger(StateStore& store, Clock& clock) : store_(store), clock_(clock) {}

  // InvalidArgument: RELEASE_VERSION_INVALID, ENVIRONMENT_UNKNOWN, REQUEST_ID_INVALID, or REQUEST_ID_REUSED if the
  // request id came with another release or environment before.
  absl::StatusOr<v1::Deployment> Open(const v1::OpenDeploymentRequest& request, absl::string_view actor);
  // These: InvalidArgument (NAME_INVALID), NotFound (DEPLOYMENT_NOT_FOUND).
  absl::StatusOr<v1::Deployment> Get(const v1::GetDeploymentRequest& request) const;
  // And these: FailedPrecondition (DEPLOYMENT_STATE) in a state from which it does not go there.
  absl::StatusOr<v1::Deployment> Shelve(const v1::ShelveDeploymentRequest& request);
  absl::StatusOr<v1::Deployment> Resume(const v1::ResumeDeploymentRequest& request);
  absl::StatusOr<v1::Deployment> Conclude(const v1::ConcludeDeploymentRequest& request);
  // Newest first.
  absl::StatusOr<v1::ListDeploymentsResponse> List(const v1::ListDeploymentsRequest& request) const;
  // OK if the ledger can be read.
  absl::Status Health() const;

 private:
  absl::StatusOr<v1::Deployment> OpenNext(v1::Deployment deployment, const std::string& request_key);
  absl::StatusOr<v1::Deployment> Move(absl::string_view name, v1::DeploymentState from, v1::DeploymentState to,
                                      const std::function<void(v1::Deployment&)>& change = nullptr);
  google::protobuf::Timestamp Now() const;

  StateStore& store_;
  Clock& clock_;
};

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_DEPLOYMENT_LEDGER_H_
