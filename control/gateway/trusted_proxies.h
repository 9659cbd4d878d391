// Who asked, where proxies stand in front of the gateway: they say so in X-Forwarded-For, which anybody could write, so
// it counts only from addresses that the operator named. Immutable.
#ifndef CHARTLY_CONTROL_GATEWAY_TRUSTED_PROXIES_H_
#define CHARTLY_CONTROL_GATEWAY_TRUSTED_PROXIES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/http/http_server.h"
#include "common/net/http_client.h"

namespace chartly::gateway {

class TrustedProxies {
 public:
  // InvalidArgument (CIDR_INVALID) names the text. Without any, every request comes from where its connection does.
  static absl::StatusOr<TrustedProxies> Create(const std::vector<std::string>& cidrs);

  // The address of the client: the last one of X-Forwarded-For that is no trusted proxy, or the first of all if they
  // are. What stands before something that is no address was not written by a trusted proxy and does not count.
  std::string ClientOf(const http::Request& request) const;
  // Whether it is one of them.
  bool Trusts(const std::string& address) const { return trusted_.Opens(address); }

 private:
  explicit TrustedProxies(net::EgressPolicy trusted) : trusted_(std::move(trusted)) {}
  net::EgressPolicy trusted_;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_TRUSTED_PROXIES_H_
