// Who makes a call, and what it may do: plain data, made anew for each call and never kept with a connection.
#ifndef CHARTLY_COMMON_RPC_CALLER_H_
#define CHARTLY_COMMON_RPC_CALLER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/project_scope.h"

namespace chartly::rpc {

// The tenant of the deployment itself: of its keys, and of whatever was there before there were others.
inline constexpr char kDefaultTenant[] = "default";

// A ladder: each may do what the ones before it may. kNone may only what is open to everyone.
enum class Role { kNone, kViewer, kOperator, kPublisher, kAdmin };

// "viewer"; "none" for kNone.
absl::string_view RoleName(Role role);
// InvalidArgument (ROLE_UNKNOWN) names the roles there are.
absl::StatusOr<Role> ParseRole(absl::string_view name);

enum class CallerKind {
  kAnonymous,
  kKey,         // a person or program, by a key, the session of a browser, or a token of the issuer
  kDeployment,  // a key of the deployment itself: admin.key or REGISTRY_API_KEY
  kDrone,       // a drone, by its certificate
};

struct Caller {
  std::string principal = "anonymous";  // "admin", "registry-key", "keys/ID", "people/SUBJECT", "drones/ID"
  CallerKind kind = CallerKind::kAnonymous;
  Role role = Role::kNone;
  std::string tenant = kDefaultTenant;
  ProjectScope projects;   // of the tenant; only a kKey is ever bound
  std::string drone_id;    // of kDrone
  std::string enrollment;  // of kDrone: what its certificate came of
  std::string session;     // what ends the session of a browser that makes the call; empty without one
  std::string request_id;
  std::string address;  // where the call comes from; empty: from this process
};

// What the audit log holds of the projects of a bound caller; empty of any other.
std::string ProjectsDetail(const Caller& caller);

// A drone speaks for itself alone. PermissionDenied (NOT_YOUR_DRONE) if the caller is another drone than `drone_id`;
// OK for callers that are no drones.
absl::Status CheckOwnDrone(const Caller& caller, absl::string_view drone_id);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_CALLER_H_
