// The tenant of a key or join token that somebody makes: the maker's own, or, in the default tenant, any.
#ifndef CHARTLY_CONTROL_AUTH_TENANT_CHOICE_H_
#define CHARTLY_CONTROL_AUTH_TENANT_CHOICE_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/caller.h"

namespace chartly::auth {

// `asked` may be empty. InvalidArgument (FIELD_INVALID) if it is no name of a tenant; PermissionDenied
// (TENANT_NOT_YOURS), whether or not there is such a tenant.
absl::StatusOr<std::string> ChooseTenant(const std::string& asked, const rpc::Caller& caller);

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_TENANT_CHOICE_H_
