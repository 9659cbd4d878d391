// The access rule of a method: read from its proto option, applied to a caller, and told in words. Thread-safe.
#ifndef CHARTLY_COMMON_RPC_ACCESS_H_
#define CHARTLY_COMMON_RPC_ACCESS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/options.pb.h"
#include "common/rpc/caller.h"
#include "google/protobuf/descriptor.h"

namespace chartly::rpc {

v1::Access AccessOf(const google::protobuf::MethodDescriptor& method);

// Whether each call of the method goes to the audit log, with its outcome.
bool IsAudited(const google::protobuf::MethodDescriptor& method);

// How the method deals with bound callers. Methods without a step of the ladder never meet them but as themselves:
// FREE.
v1::Binding BindingOf(const google::protobuf::MethodDescriptor& method);
// "free", "named", "sought", "refused"; "none" for a method without a decision.
absl::string_view BindingName(v1::Binding binding);
// OK if a bound caller gets as far as its request, and for every other caller. PermissionDenied (PROJECTS_NOT_SERVED,
// METHOD_WITHOUT_RULE).
absl::Status CheckBinding(v1::Binding binding, const Caller& caller, absl::string_view method);

// Whether a call without any credential of ours can be let in: the method is open to all, or checks a proof itself.
bool NeedsNoCredential(v1::Access access);

// OK if the caller may. Unauthenticated (API_KEY_REQUIRED) if it showed no credential; PermissionDenied (ROLE_TOO_LOW,
// NOT_FOR_CALLERS) if it did; PermissionDenied (METHOD_WITHOUT_RULE) if the method states no access.
absl::Status CheckAccess(v1::Access access, const Caller& caller, absl::string_view method);

// "viewer", "drone", ...; "none" for a method without access.
absl::string_view AccessName(v1::Access access);

// Internal (METHOD_WITHOUT_RULE) names the methods of the services (full names) that state no access, do not say how
// they deal with bound callers, or leave a profile that their request can name out of profile_fields. Services that are
// not of chartly.v1 are left alone.
absl::Status CheckServicesHaveRules(const std::vector<std::string>& services);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_ACCESS_H_
