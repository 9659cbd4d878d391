#include "common/http/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/http/connection.h"
#include "common/http/error_body.h"
#include "common/http/server_core.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::http {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

std::string FullAnswer() {
  Response answer =
      ErrorResponse(503, "UNAVAILABLE", "TOO_MANY_CONNECTIONS", "too many connections are open; try again later");
  return absl::StrCat("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n",
                      "Connection: close\r\nContent-Length: ", answer.body.size(), "\r\n\r\n", answer.body);
}

absl::StatusOr<tcp::endpoint> ResolveAddress(asio::io_context& io, const std::string& address) {
  size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Error(absl::StatusCode::kInvalidArgument, "ADDRESS_MALFORMED",
                 absl::StrCat("'", address, "' is not host:port, such as 127.0.0.1:8090"), {{"address", address}});
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "*") host = "0.0.0.0";
  tcp::resolver resolver(io);
  error_code error;
  auto found = resolver.resolve(host, std::to_string(port), error);
  if (error || found.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "ADDRESS_UNKNOWN",
                 absl::StrCat("cannot resolve '", host, "' of ", address, ": ", error.message()),
                 {{"address", address}});
  }
  return found.begin()->endpoint();
}

absl::Status ListenError(const std::string& address, const error_code& error) {
  bool in_use = error == asio::error::address_in_use;
  return Error(absl::StatusCode::kUnavailable, in_use ? "PORT_IN_USE" : "LISTEN_FAILED",
               absl::StrCat("cannot listen on ", address, ": ", error.message(),
                            in_use ? "; stop the other program or choose another port" : ""),
               {{"address", address}});
}

class BeastHttpServer final : public HttpServer {
 public:
  BeastHttpServer(Handler handler, ServerOptions options)
      : core_(std::make_shared<ServerCore>(std::move(handler), options)),
        accept_strand_(asio::make_strand(core_->io)),
        accept_pause_(accept_strand_) {}
  ~BeastHttpServer() override { Shutdown(absl::ZeroDuration()); }

  absl::Status Start(const std::string& address) override {
    ASSIGN_OR_RETURN(tcp::endpoint endpoint, ResolveAddress(core_->io, address));
    if (!core_->options.tls.empty()) {
      ASSIGN_OR_RETURN(core_->tls, TlsContext::Open(core_->options.tls));
    }
    RETURN_IF_ERROR(Listen(address, endpoint));
    work_.emplace(core_->io.get_executor());
    Accept();
    for (int i = 0; i < std::max(1, core_->options.threads); ++i) {
      threads_.emplace_back([core = core_] { core->io.run(); });
    }
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Shutdown(absl::Duration drain) override {
    if (threads_.empty()) return;
    core_->draining = true;
    asio::post(accept_strand_, [this] {
      error_code ignored;
      acceptor_->close(ignored);
      accept_pause_.cancel();
    });
    absl::Time deadline = absl::Now() + drain;
    ForEach([](Connection& connection) { connection.Drain(); });
    AwaitNoConnections(deadline);
    ForEach([](Connection& connection) { connection.Abort(); });
    {
      absl::MutexLock lock(&core_->mu);
      core_->ended = true;
    }
    work_.reset();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  absl::Status Listen(const std::string& address, const tcp::endpoint& endpoint) {
    acceptor_.emplace(accept_strand_);
    error_code error;
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(1024, error);
    if (error) return ListenError(address, error);
    port_ = acceptor_->local_endpoint(error).port();
    return absl::OkStatus();
  }

  void Accept() {
    acceptor_->async_accept(asio::make_strand(core_->io),
                            [this](error_code error, tcp::socket socket) { OnAccept(error, std::move(socket)); });
  }

  void OnAccept(error_code error, tcp::socket socket) {
    if (core_->draining || error == asio::error::operation_aborted) return;
    if (!error) {
      Admit(std::move(socket));
      return Accept();
    }
    // Out of file descriptors, most likely: try again when some may be free.
    accept_pause_.expires_after(std::chrono::milliseconds(50));
    accept_pause_.async_wait([this](error_code wait_error) {
      if (!wait_error && !core_->draining) Accept();
    });
  }

  void Admit(tcp::socket socket) {
    {
      absl::ReaderMutexLock lock(&core_->mu);
      if (core_->connections.size() >= static_cast<size_t>(core_->options.max_connections)) {
        error_code ignored;
        if (core_->tls != nullptr) return;  // no handshake for those who are too many
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(FullAnswer()), ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        return;
      }
    }
    auto connection = std::make_shared<Connection>(std::move(socket), core_);
    {
      absl::MutexLock lock(&core_->mu);
      core_->connections.emplace(connection.get(), connection);
      SetGauge("chartly_http_connections", core_->connections.size());
    }
    connection->Run();
  }

  template <typename Fn>
  void ForEach(Fn fn) {
    std::vector<std::shared_ptr<Connection>> all;
    {
      absl::MutexLock lock(&core_->mu);
      for (const auto& [pointer, weak] : core_->connections) {
        if (auto connection = weak.lock()) all.push_back(std::move(connection));
      }
    }
    for (const auto& connection : all) fn(*connection);
  }

  void AwaitNoConnections(absl::Time deadline) {
    ServerCore* core = core_.get();
    absl::MutexLock lock(&core->mu);
    auto none = [core]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return core->connections.empty(); };
    core->mu.AwaitWithDeadline(absl::Condition(&none), deadline);
  }

  std::shared_ptr<ServerCore> core_;
  asio::strand<asio::io_context::executor_type> accept_strand_;
  std::optional<tcp::acceptor> acceptor_;
  asio::steady_timer accept_pause_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
  int port_ = 0;
};

}  // namespace

std::unique_ptr<HttpServer> HttpServer::Create(Handler handler, ServerOptions options) {
  return std::make_unique<BeastHttpServer>(std::move(handler), options);
}

}  // namespace chartly::http
