// The coordinator's word on what a change of profiles means for drones. Thread-safe; the peers must outlive it.
#ifndef CHARTLY_CONTROL_REGISTRY_COORDINATOR_PREVIEW_H_
#define CHARTLY_CONTROL_REGISTRY_COORDINATOR_PREVIEW_H_

#include <vector>

#include "common/rpc/peers.h"
#include "control/registry/assignment_preview.h"

namespace chartly::registry {

class CoordinatorPreview final : public AssignmentPreview {
 public:
  explicit CoordinatorPreview(const rpc::Peers& peers) : peers_(peers) {}
  // Waits at most five seconds for an answer.
  absl::StatusOr<std::vector<v1::PlannedDrone>> Preview(const v1::PreviewAssignmentsRequest& request) override;

 private:
  const rpc::Peers& peers_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_COORDINATOR_PREVIEW_H_
