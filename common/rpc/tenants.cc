#include "common/rpc/tenants.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/key_token.h"

namespace chartly::rpc {

bool IsTenant(absl::string_view name) { return IsKeyId(name); }

absl::Status TooManyTenants() {
  return Error(absl::StatusCode::kResourceExhausted, "TENANTS_TOO_MANY",
               absl::StrCat("this part works for ", kMaxTenants, " tenants already and opens no other"));
}

}  // namespace chartly::rpc
