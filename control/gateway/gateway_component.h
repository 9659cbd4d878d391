// The gateway, put together: REST, events and the page on one HTTP port, transcoded to the parts behind `peers`.
//
// Open binds and serves. Shutdown is safe twice: it ends event streams, lets other answers end until the deadline, and
// closes. Called from one thread.
#ifndef CHARTLY_CONTROL_GATEWAY_GATEWAY_COMPONENT_H_
#define CHARTLY_CONTROL_GATEWAY_GATEWAY_COMPONENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/http/admin.h"
#include "common/http/http_server.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/caller.h"
#include "common/rpc/peers.h"
#include "common/text/secret.h"

namespace chartly::gateway {

struct GatewayConfig {
  std::string listen = "127.0.0.1:8090";
  absl::Duration call_timeout = absl::Seconds(60);        // of one unary call to a part
  absl::Duration heartbeat_interval = absl::Seconds(15);  // comments on quiet event streams
  int max_event_streams = 1000;
  rpc::Role anonymous = rpc::Role::kViewer;  // what callers without a key may do
  Secret api_key;                            // of this process, to ask for the health of the parts
  std::vector<std::string> trusted_proxies;  // CIDRs whose X-Forwarded-For is believed
  http::ServerOptions http;
};

class GatewayComponent {
 public:
  // `peers` must outlive the component and carry no key of their own: the gateway hands on the key of each caller, and
  // the parts judge it. What the gateway refuses by itself goes to `audit`, which must outlive it; without one,
  // nowhere. Unavailable (PORT_IN_USE) naming the address; InvalidArgument (CIDR_INVALID) naming the proxy; Internal
  // (ROUTES_INVALID) if the annotations of the protos contradict each other.
  static absl::StatusOr<std::unique_ptr<GatewayComponent>> Open(const GatewayConfig& config, const rpc::Peers& peers,
                                                                http::AdminDeps admin, rpc::AuditSink* audit = nullptr);
  virtual ~GatewayComponent() = default;
  virtual int port() const = 0;
  // Empty if it serves, else what is wrong.
  virtual std::string Health() const = 0;
  virtual void Shutdown(absl::Duration drain) = 0;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_GATEWAY_COMPONENT_H_
