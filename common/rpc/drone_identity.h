// The names in certificates: spiffe://chartly/drone/ID/ENROLLMENT for drones, spiffe://chartly/control for parts. A
// drone of another tenant than the default one is spiffe://chartly/tenant/TENANT/drone/ID/ENROLLMENT.
#ifndef CHARTLY_COMMON_RPC_DRONE_IDENTITY_H_
#define CHARTLY_COMMON_RPC_DRONE_IDENTITY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "common/rpc/caller.h"

namespace chartly::rpc {

inline constexpr char kControlPlaneUri[] = "spiffe://chartly/control";

struct DroneIdentity {
  std::string drone_id;
  std::string enrollment;
  std::string tenant = kDefaultTenant;
};

std::string UriOf(const DroneIdentity& identity);
// Empty if the name is not that of a drone.
DroneIdentity ParseDroneIdentity(absl::string_view uri);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_DRONE_IDENTITY_H_
