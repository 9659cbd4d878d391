#include "control/auth/tenant_choice.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/tenants.h"
#include "common/status/status.h"

namespace chartly::auth {

absl::StatusOr<std::string> ChooseTenant(const std::string& asked, const rpc::Caller& caller) {
  if (asked.empty() || asked == caller.tenant) return caller.tenant;
  if (!rpc::IsTenant(asked)) {
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID",
                 "tenant: use lower-case letters, digits and '-', at most 39, beginning with no '-'",
                 {{"field", "tenant"}});
  }
  if (caller.tenant == rpc::kDefaultTenant) return asked;
  return Error(absl::StatusCode::kPermissionDenied, "TENANT_NOT_YOURS",
               absl::StrCat(caller.principal, " makes keys and join tokens of its own tenant only; leave tenant out"));
}

}  // namespace chartly::auth
