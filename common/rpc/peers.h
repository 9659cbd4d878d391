// Channels to the parts: in-process to those of this process, over the network to the others. Services reach each
// other only through stubs on these, so one process and nine processes run the same code.
//
// Thread-safe. Every call carries the key of this process, unless the caller sets x-api-key itself; with that key a
// part may also say which tenant it calls for.
#ifndef CHARTLY_COMMON_RPC_PEERS_H_
#define CHARTLY_COMMON_RPC_PEERS_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/config/parts.h"
#include "common/rpc/tls.h"

namespace chartly::rpc {

class RpcServer;

class Peers {
 public:
  // `addresses`: host:port of parts in other processes; parts that are in neither map use 127.0.0.1 and their default
  // port. `api_key` may be empty (the gateway hands on the key of its caller instead).
  Peers(std::map<Part, std::string> addresses, std::string api_key);
  // The key for channels made from now on.
  void SetApiKey(std::string api_key);
  // Channels made from now on that leave the process go over TLS.
  void SetTls(TlsFiles tls);
  // From now on `part` is reached in-process. The server must outlive the peers.
  void SetLocal(Part part, RpcServer& server);
  // The same parts, for calls in `tenant`; these for the default one. Lives as long as these; the same one each time.
  const Peers& ForTenant(const std::string& tenant) const;
  // Never null; connects when first used.
  std::shared_ptr<grpc::Channel> Channel(Part part) const;
  // Where a part is, for people: "in-process" or host:port.
  std::string Address(Part part) const;

 private:
  Peers(const Peers& of, std::string tenant) : of_(&of), tenant_(std::move(tenant)) {}
  std::shared_ptr<grpc::Channel> ChannelFor(Part part, const std::string& tenant) const;

  const Peers* const of_ = nullptr;  // those that know the addresses, if these are for a tenant
  const std::string tenant_;         // empty: the caller's own
  const std::map<Part, std::string> addresses_;
  mutable absl::Mutex mu_;
  std::string api_key_ ABSL_GUARDED_BY(mu_);
  TlsFiles tls_ ABSL_GUARDED_BY(mu_);
  std::map<Part, RpcServer*> local_ ABSL_GUARDED_BY(mu_);
  mutable std::map<std::pair<Part, std::string>, std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mu_);
  mutable std::map<std::string, std::unique_ptr<Peers>> for_tenants_ ABSL_GUARDED_BY(mu_);
};

// A network channel whose calls carry `api_key` (if any) and use our keepalive and size limits. With `tls` it takes no
// other server than one with the control plane's certificate. With `tenant` the calls are for that tenant.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const std::string& api_key,
                                           const TlsFiles& tls = {}, const std::string& tenant = "");

// Sets the deadline, and the request id if not empty.
void Prepare(grpc::ClientContext& context, absl::Duration timeout, const std::string& request_id = "");

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_PEERS_H_
