#include "common/rpc/caller.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::rpc {
namespace {

constexpr std::array<std::pair<Role, absl::string_view>, 5> kRoles = {{{Role::kNone, "none"},
                                                                       {Role::kViewer, "viewer"},
                                                                       {Role::kOperator, "operator"},
                                                                       {Role::kPublisher, "publisher"},
                                                                       {Role::kAdmin, "admin"}}};

}  // namespace

absl::string_view RoleName(Role role) {
  for (const auto& [each, name] : kRoles) {
    if (each == role) return name;
  }
  return "none";
}

absl::StatusOr<Role> ParseRole(absl::string_view name) {
  for (const auto& [role, each] : kRoles) {
    if (each == name) return role;
  }
  return Error(absl::StatusCode::kInvalidArgument, "ROLE_UNKNOWN",
               absl::StrCat("there is no role '", name, "'; use viewer, operator, publisher or admin"),
               {{"role", std::string(name)}});
}

std::string ProjectsDetail(const Caller& caller) {
  return caller.projects.bound() ? absl::StrCat("bound to ", caller.projects.Text()) : "";
}

absl::Status CheckOwnDrone(const Caller& caller, absl::string_view drone_id) {
  if (caller.kind != CallerKind::kDrone || caller.drone_id == drone_id) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "NOT_YOUR_DRONE",
               absl::StrCat("drone ", caller.drone_id, " may speak for itself alone"), {{"drone", caller.drone_id}});
}

}  // namespace chartly::rpc
