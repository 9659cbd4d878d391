#include "control/auth/auth.h"

namespace chartly::auth {

v1::Caller Auth::Describe(const rpc::Caller& caller) const {
  v1::Caller message;
  message.set_principal(caller.principal);
  message.set_can_write(caller.can_write);
  message.set_tenant(caller.tenant);
  return message;
}

}  // namespace chartly::auth
