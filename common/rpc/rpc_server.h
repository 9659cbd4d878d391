// A gRPC server with our limits, health and reflection. One server serves all services of a process on all their
// ports, and in-process. In clear text it stands behind a gate, which bounds what clients cost for nothing.
//
// Start and Shutdown are called from one thread; Shutdown is safe twice and before Start.
#ifndef CHARTLY_COMMON_RPC_RPC_SERVER_H_
#define CHARTLY_COMMON_RPC_RPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/tls.h"

namespace chartly::gate {
class ConnectionGate;
}  // namespace chartly::gate

namespace chartly::rpc {

// One message; a batch and its frame fit.
inline constexpr int kMaxMessageBytes = 8 << 20;

class RpcServer {
 public:
  RpcServer();
  ~RpcServer();
  // host:port; port 0 takes a free one. Requires: before Start.
  void Listen(const std::string& address);
  // All ports take TLS only, from callers that show a certificate of the authority. Requires: before Start.
  void UseTls(TlsFiles tls) { tls_ = std::move(tls); }
  // A gateway in another process calls for others: what those send for nothing costs it nothing. Requires: before
  // Start.
  void SpareRelayed() { spares_relayed_ = true; }
  // The service must outlive the server. Requires: before Start.
  void AddService(grpc::Service* service);
  // Unavailable (PORT_IN_USE) naming the address if one cannot be bound; Internal (METHOD_WITHOUT_RULE) naming the
  // methods that state no access.
  absl::Status Start();
  // The bound ports, in order of Listen. Requires: started.
  const std::vector<int>& ports() const { return ports_; }
  // A channel that never leaves the process, for calls in `tenant` if it is not empty. Requires: started.
  std::shared_ptr<grpc::Channel> InProcessChannel(const std::string& api_key, const std::string& tenant = "");
  // Health of every service as grpc.health.v1 tells it.
  void SetServing(bool serving);
  // Takes no new calls, waits for the others until the deadline, then cancels them.
  void Shutdown(absl::Duration drain);

 private:
  absl::Status ListenAtGate(grpc::ServerBuilder& builder);

  std::vector<std::string> addresses_;
  TlsFiles tls_;
  bool spares_relayed_ = false;
  std::vector<grpc::Service*> services_;
  std::vector<int> ports_;
  std::vector<std::string> service_names_;
  std::unique_ptr<grpc::Server> server_;
  // Takes what the gate hands over.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<gate::ConnectionGate> gate_;  // in clear text
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_RPC_SERVER_H_
