#include "common/rpc/charge_interceptor.h"

#include <grpcpp/grpcpp.h>
#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/gate/address_budgets.h"
#include "common/gate/paced_reads.h"
#include "common/rpc/guard.h"

namespace chartly::rpc {
namespace {

namespace ge = grpc::experimental;

// What gate::EndpointOf makes of "ipv4:192.0.2.7:4711" or "ipv6:[2001:db8::7]:4711"; empty in this process.
std::string EndpointOfPeer(const std::string& text) {
  absl::string_view peer = text;
  if (!absl::ConsumePrefix(&peer, "ipv4:") && !absl::ConsumePrefix(&peer, "ipv6:")) return "";
  const size_t colon = peer.rfind(':');
  int port = 0;
  if (colon == peer.npos || !absl::SimpleAtoi(peer.substr(colon + 1), &port)) return "";
  const std::string host = absl::StrReplaceAll(peer.substr(0, colon), {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
  return gate::EndpointOf(host, static_cast<uint16_t>(port));
}

// gRPC says so of a message that it cannot read, and nothing more; what our own services call internal has a text.
bool MadeNoSense(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
         (status.error_code() == grpc::StatusCode::INTERNAL && status.error_message().empty());
}

class ChargeInterceptor final : public ge::Interceptor {
 public:
  ChargeInterceptor(ge::ServerRpcInfo* info, bool spares_relayed) : info_(info), spares_relayed_(spares_relayed) {}
  void Intercept(ge::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(ge::InterceptionHookPoints::PRE_SEND_STATUS) &&
        MadeNoSense(methods->GetSendStatus())) {
      Charge();
    }
    methods->Proceed();
  }

 private:
  void Charge() {
    const grpc::ServerContextBase& context = *info_->server_context();
    if (spares_relayed_ && context.client_metadata().count(kAddressMetadata) > 0) return;
    const std::string endpoint = EndpointOfPeer(context.peer());
    if (!endpoint.empty()) gate::PacedReads::OfProcess().Charge(endpoint, gate::kCostOfFailedCall);
  }

  ge::ServerRpcInfo* const info_;
  const bool spares_relayed_;
};

class ChargeInterceptorFactory final : public ge::ServerInterceptorFactoryInterface {
 public:
  explicit ChargeInterceptorFactory(bool spares_relayed) : spares_relayed_(spares_relayed) {}
  ge::Interceptor* CreateServerInterceptor(ge::ServerRpcInfo* info) override {
    return new ChargeInterceptor(info, spares_relayed_);
  }

 private:
  const bool spares_relayed_;
};

}  // namespace

std::vector<std::unique_ptr<ge::ServerInterceptorFactoryInterface>> ChargeInterceptors(bool spares_relayed) {
  std::vector<std::unique_ptr<ge::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<ChargeInterceptorFactory>(spares_relayed));
  return factories;
}

}  // namespace chartly::rpc
