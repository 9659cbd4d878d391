// Asks what a change of profiles means for drones. Implemented over the coordinator; tests have their own.
#ifndef CHARTLY_CONTROL_REGISTRY_ASSIGNMENT_PREVIEW_H_
#define CHARTLY_CONTROL_REGISTRY_ASSIGNMENT_PREVIEW_H_

#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/coordinator.pb.h"

namespace chartly::registry {

// Thread-safe.
class AssignmentPreview {
 public:
  virtual ~AssignmentPreview() = default;
  // Drones for which something changes, by id. An error says why that is not known.
  virtual absl::StatusOr<std::vector<v1::PlannedDrone>> Preview(const v1::PreviewAssignmentsRequest& request) = 0;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_ASSIGNMENT_PREVIEW_H_
