#include "control/gateway/gateway_component.h"

#include <atomic>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/gateway/health_report.h"
#include "control/gateway/openapi.h"
#include "control/gateway/request_builder.h"
#include "control/gateway/route_table.h"
#include "control/gateway/rpc_caller.h"
#include "control/gateway/static_files.h"
#include "control/gateway/transcoder.h"
#include "control/gateway/trusted_proxies.h"

namespace chartly::gateway {
namespace {

class HttpGateway final : public GatewayComponent {
 public:
  HttpGateway(const GatewayConfig& config, RouteTable routes, TrustedProxies proxies, const rpc::Peers& peers,
              http::AdminDeps admin, rpc::AuditSink* audit)
      : routes_(std::move(routes)),
        proxies_(std::move(proxies)),
        admin_(std::move(admin)),
        api_key_(config.api_key),
        openapi_(OpenApiDocument(routes_)),
        caller_(peers),
        transcoder_(routes_, caller_, audit,
                    {config.call_timeout, config.heartbeat_interval, config.max_event_streams, config.anonymous}),
        server_(http::HttpServer::Create(
            [this](http::Request request, std::shared_ptr<http::Reply> reply) {
              Handle(std::move(request), std::move(reply));
            },
            WithClients(config.http))) {}
  ~HttpGateway() override {
    Shutdown(absl::ZeroDuration());
    caller_.AwaitIdle();  // their ends still use the transcoder
  }

  absl::Status Start(const std::string& address) {
    RETURN_IF_ERROR(Annotate(server_->Start(address), "gateway"));
    serving_ = true;
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }
  std::string Health() const override { return serving_ ? "" : "is shut down"; }

  void Shutdown(absl::Duration drain) override {
    serving_ = false;
    transcoder_.Shutdown();
    server_->Shutdown(drain);
  }

 private:
  http::ServerOptions WithClients(http::ServerOptions options) const {
    options.client_of = [this](const http::Request& request) { return proxies_.ClientOf(request); };
    options.connects_for_others = [this](const std::string& address) { return proxies_.Trusts(address); };
    return options;
  }

  void Handle(http::Request request, std::shared_ptr<http::Reply> reply) {
    bool reads = request.method == "GET" || request.method == "HEAD";
    if (request.path == "/health" && reads) return SendHealth(caller_, api_key_, admin_, std::move(reply));
    if (http::ServeAdmin(admin_, request, *reply)) return;
    std::string request_id = RequestIdOf(request);
    if (request.path == "/api/openapi.json" && reads) {
      http::Response answer{200, {{"Content-Type", "application/json"}}, openapi_};
      return reply->Send(WithApiHeaders(std::move(answer), request_id));
    }
    if (request.path == "/api" || absl::StartsWith(request.path, "/api/")) {
      return transcoder_.Handle(request, request_id, std::move(reply));
    }
    reply->Send(ServeStaticFile(request));
  }

  const RouteTable routes_;
  const TrustedProxies proxies_;
  const http::AdminDeps admin_;
  const Secret api_key_;
  const std::string openapi_;
  std::atomic<bool> serving_{false};
  RpcCaller caller_;
  Transcoder transcoder_;
  std::unique_ptr<http::HttpServer> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GatewayComponent>> GatewayComponent::Open(const GatewayConfig& config,
                                                                         const rpc::Peers& peers, http::AdminDeps admin,
                                                                         rpc::AuditSink* audit) {
  ASSIGN_OR_RETURN(RouteTable routes, RouteTable::Build());
  ASSIGN_OR_RETURN(TrustedProxies proxies, TrustedProxies::Create(config.trusted_proxies));
  auto gateway =
      std::make_unique<HttpGateway>(config, std::move(routes), std::move(proxies), peers, std::move(admin), audit);
  RETURN_IF_ERROR(gateway->Start(config.listen));
  return absl::StatusOr<std::unique_ptr<GatewayComponent>>(std::move(gateway));
}

}  // namespace chartly::gateway
