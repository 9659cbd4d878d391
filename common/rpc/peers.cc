#include "common/rpc/peers.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/caller.h"
#include "common/rpc/channel_interceptor.h"
#include "common/rpc/guard.h"
#include "common/rpc/rpc_server.h"
#include "common/rpc/tls_credentials.h"

namespace chartly::rpc {

Peers::Peers(std::map<Part, std::string> addresses, std::string api_key)
    : addresses_(std::move(addresses)), api_key_(std::move(api_key)) {}

void Peers::SetApiKey(std::string api_key) {
  absl::MutexLock lock(&mu_);
  api_key_ = std::move(api_key);
}

void Peers::SetTls(TlsFiles tls) {
  absl::MutexLock lock(&mu_);
  tls_ = std::move(tls);
}

void Peers::SetLocal(Part part, RpcServer& server) {
  absl::MutexLock lock(&mu_);
  local_[part] = &server;
  for (auto it = channels_.begin(); it != channels_.end();) {
    it = it->first.first == part ? channels_.erase(it) : std::next(it);
  }
}

const Peers& Peers::ForTenant(const std::string& tenant) const {
  if (tenant == kDefaultTenant) return *this;
  absl::MutexLock lock(&mu_);
  std::unique_ptr<Peers>& peers = for_tenants_[tenant];
  if (peers == nullptr) peers.reset(new Peers(*this, tenant));
  return *peers;
}

std::shared_ptr<grpc::Channel> Peers::Channel(Part part) const {
  return of_ == nullptr ? ChannelFor(part, "") : of_->ChannelFor(part, tenant_);
}

std::shared_ptr<grpc::Channel> Peers::ChannelFor(Part part, const std::string& tenant) const {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<grpc::Channel>& channel = channels_[{part, tenant}];
  if (channel != nullptr) return channel;
  auto local = local_.find(part);
  if (local != local_.end()) {
    channel = local->second->InProcessChannel(api_key_, tenant);
    return channel;
  }
  auto address = addresses_.find(part);
  channel = MakeChannel(address != addresses_.end() ? address->second : absl::StrCat("127.0.0.1:", InfoOf(part).port),
                        api_key_, tls_, tenant);
  return channel;
}

std::string Peers::Address(Part part) const {
  if (of_ != nullptr) return of_->Address(part);
  absl::MutexLock lock(&mu_);
  if (local_.count(part) > 0) return "in-process";
  auto address = addresses_.find(part);
  return address != addresses_.end() ? address->second : absl::StrCat("127.0.0.1:", InfoOf(part).port);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const std::string& api_key, const TlsFiles& tls,
                                           const std::string& tenant) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  // The default ceiling of two minutes would leave a drone deaf long after its control plane came back.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // gRPC also takes this as the time limit of one attempt to connect.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // A proxy of the environment must not see calls between parts.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!tls.empty()) arguments.SetSslTargetNameOverride(kControlPlaneName);
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, ChannelCredentialsOf(tls), arguments,
                                                                 KeyInterceptors(api_key, tenant));
}

void Prepare(grpc::ClientContext& context, absl::Duration timeout, const std::string& request_id) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  if (!request_id.empty()) context.AddMetadata(kRequestIdMetadata, request_id);
}

}  // namespace chartly::rpc
