#include "common/rpc/rpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/gate/connection_gate.h"
#include "common/rpc/access.h"
#include "common/rpc/channel_interceptor.h"
#include "common/rpc/charge_interceptor.h"
#include "common/rpc/service_names.h"
#include "common/rpc/tls_credentials.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {
namespace {

// The message limit alone does not bound memory: gRPC buffers and inflates before it looks at the size.
constexpr size_t kQuotaBytes = size_t{512} << 20;
constexpr int kMaxThreads = 512;

// A handshake that fails reaches nothing of ours: gRPC tells of it by a line of its log alone.
constexpr absl::string_view kHandshakeFailed = "Handshake failed with fatal error";
// The last line of a process that gRPC ends.
constexpr absl::string_view kAssertion = "assertion failed";

void TakeLine(gpr_log_func_args* line) {
  if (absl::StartsWith(line->message, kAssertion)) std::fprintf(stderr, "gRPC: %s\n", line->message);
  if (!absl::StartsWith(line->message, kHandshakeFailed)) return;
  const MetricTenant nobodys("");  // a thread that waits for something of a tenant does the work of gRPC meanwhile
  Count("chartly_tls_refusals_total", 1, "rpc");
}

// gRPC's own lines repeat, at length, what the statuses here say; GRPC_VERBOSITY brings them back.
void TakeLogOfGrpc() {
  if (std::getenv("GRPC_VERBOSITY") != nullptr) return;
  gpr_set_log_function(TakeLine);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("server");
  quota.Resize(kQuotaBytes).SetMaxThreads(kMaxThreads);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  // Batches are packed already; without gzip a small message cannot become a large one.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 20000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60000);
}

}  // namespace

RpcServer::RpcServer() {
  static const bool kPlugins = [] {
    TakeLogOfGrpc();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    InstallServiceNames();
    return true;
  }();
  (void)kPlugins;
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

void RpcServer::Listen(const std::string& address) { addresses_.push_back(address); }

void RpcServer::AddService(grpc::Service* service) { services_.push_back(service); }

absl::Status RpcServer::ListenAtGate(grpc::ServerBuilder& builder) {
  gate_ = std::make_unique<gate::ConnectionGate>(tls_.empty() ? gate::Protocol::kClear : gate::Protocol::kTls);
  for (size_t i = 0; i < addresses_.size(); ++i) {
    ASSIGN_OR_RETURN(ports_[i], gate_->Listen(addresses_[i]));
  }
  using Builder = grpc::ServerBuilder::experimental_type;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(Builder::ExternalConnectionType::FROM_FD,
                                                                   ServerCredentialsOf(tls_));
  return absl::OkStatus();
}

absl::Status RpcServer::Start() {
  grpc::ServerBuilder builder;
  SetLimits(builder);
  ports_.assign(addresses_.size(), 0);
  RETURN_IF_ERROR(ListenAtGate(builder));
  builder.experimental().SetInterceptorCreators(ChargeInterceptors(spares_relayed_));
  for (grpc::Service* service : services_) builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  service_names_ = BuiltServiceNames();
  if (server_ == nullptr) return absl::InternalError("the gRPC server did not start");
  RETURN_IF_ERROR(gate_->Start([this](int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.fd = connection;
    acceptor_->HandleNewConnection(&parameters);
  }));
  return CheckServicesHaveRules(service_names_);
}

std::shared_ptr<grpc::Channel> RpcServer::InProcessChannel(const std::string& api_key, const std::string& tenant) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  return server_->experimental().InProcessChannelWithInterceptors(arguments, KeyInterceptors(api_key, tenant));
}

void RpcServer::SetServing(bool serving) {
  if (server_ == nullptr || server_->GetHealthCheckService() == nullptr) return;
  // The health service knows a service by name only once it was told of it.
  for (const std::string& name : service_names_) server_->GetHealthCheckService()->SetServingStatus(name, serving);
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void RpcServer::Shutdown(absl::Duration drain) {
  if (gate_ != nullptr) gate_->Stop();
  if (server_ == nullptr) return;
  SetServing(false);
  server_->Shutdown(absl::ToChronoTime(absl::Now() + drain));
  server_->Wait();
  server_.reset();
}

}  // namespace chartly::rpc
