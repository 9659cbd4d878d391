// Tells a caller who it is. The keys themselves are checked where every call comes in (common/rpc).
#ifndef CHARTLY_CONTROL_AUTH_AUTH_H_
#define CHARTLY_CONTROL_AUTH_AUTH_H_

#include "chartly/v1/auth.pb.h"
#include "common/rpc/authenticator.h"

namespace chartly::auth {

// Thread-safe and stateless.
class Auth {
 public:
  // What the caller may know of itself.
  v1::Caller Describe(const rpc::Caller& caller) const;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_H_
