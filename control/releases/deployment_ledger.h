// The ledger of deployments: which release went to which environment, by whom, and how it stands; and which drift of
// which environment is open.
//
//   pending -> active <-> paused, active -> completed; completed is the end. Only what goes to prod begins as pending,
//   and waits for its approval; what is set aside while it waits waits again when it is taken up.
//
// A release goes dev -> staging -> prod, the same image each time, and only while neither the environment it comes from
// nor the one it goes to drifts. What an environment had before it may have again.
//
// Kept over a StateStore: deployment/{number}, request/{request_id}, release/{version} (how it was first opened) and
// concluded/{environment}/{version}, all v1.Deployment messages, and environment/{name}, a v1.Environment message.
// Thread-safe. The store and the clock must outlive it.
#ifndef CHARTLY_CONTROL_RELEASES_DEPLOYMENT_LEDGER_H_
#define CHARTLY_CONTROL_RELEASES_DEPLOYMENT_LEDGER_H_

#include <functional>
#include <string>
#include <vector>

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
  static constexpr int kMaxFindings = 100;  // kept of a report

  // Told of a change of what drifts, before it is kept: "DriftFound", "DriftChanged", "DriftMendedByHand" or
  // "DriftClosed", and the environment as it will be. If it fails, nothing changes.
  using DriftRecorder = std::function<absl::Status(absl::string_view what, const v1::Environment& environment)>;

  DeploymentLedger(StateStore& store, Clock& clock) : store_(store), clock_(clock) {}

  // InvalidArgument: RELEASE_VERSION_INVALID, ENVIRONMENT_UNKNOWN, COMMIT_INVALID, IMAGE_DIGEST_INVALID,
  // BUILDER_INVALID, REQUEST_ID_INVALID, or REQUEST_ID_REUSED if the request id came with another release or
  // environment before. FailedPrecondition: RELEASE_CHANGED, RELEASE_NOT_PROMOTED, RELEASE_OLDER, BUILDER_NOT_TRUSTED,
  // ROLLBACK_REASON_REQUIRED, ROLLBACK_TO_NOTHING, DRIFT_OPEN; and what ChooseStrategy and BindChange give.
  absl::StatusOr<v1::Deployment> Open(const v1::OpenDeploymentRequest& request, absl::string_view actor);
  // These: InvalidArgument (NAME_INVALID), NotFound (DEPLOYMENT_NOT_FOUND).
  absl::StatusOr<v1::Deployment> Get(const v1::GetDeploymentRequest& request) const;
  // And these: FailedPrecondition (DEPLOYMENT_STATE) in a state from which it does not go there, and, but for Shelve,
  // DRIFT_OPEN, and RELEASE_OLDER if something later arrived meanwhile.
  absl::StatusOr<v1::Deployment> Shelve(const v1::ShelveDeploymentRequest& request);
  absl::StatusOr<v1::Deployment> Resume(const v1::ResumeDeploymentRequest& request);
  // And PermissionDenied (APPROVER_OPENED_IT), FailedPrecondition (APPROVAL_OF_ANOTHER_IMAGE).
  absl::StatusOr<v1::Deployment> Approve(const v1::ApproveDeploymentRequest& request, absl::string_view actor);
  // And InvalidArgument (SMOKE_EVIDENCE_REQUIRED, HANDOVER_REQUIRED).
  absl::StatusOr<v1::Deployment> Conclude(const v1::ConcludeDeploymentRequest& request);
  // Newest first.
  absl::StatusOr<v1::ListDeploymentsResponse> List(const v1::ListDeploymentsRequest& request) const;

  absl::StatusOr<v1::ListEnvironmentsResponse> ListEnvironments() const;
  // Takes what a comparison of an environment with a commit found. Drift closes when nothing is found; in prod only at
  // another commit than it was found at, for what is gone without one was mended by hand. InvalidArgument:
  // ENVIRONMENT_UNKNOWN, COMMIT_INVALID, DRIFT_FINDING_INVALID; or what `record` gives.
  absl::StatusOr<v1::Environment> ReportDrift(const v1::ReportDriftRequest& request, const DriftRecorder& record);
  // Sets the metrics on drift to what is kept.
  void ShowDrift() const;

  // OK if the ledger can be read.
  absl::Status Health() const;

 private:
  using Change = std::function<absl::Status(v1::Deployment&, StateTransaction&)>;

  absl::StatusOr<v1::Deployment> OpenNext(v1::Deployment deployment, const std::string& request_key);
  absl::StatusOr<v1::Deployment> Move(absl::string_view name, const std::vector<v1::DeploymentState>& from,
                                      v1::DeploymentState to, const Change& change = nullptr);
  google::protobuf::Timestamp Now() const;

  StateStore& store_;
  Clock& clock_;
};

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_DEPLOYMENT_LEDGER_H_
