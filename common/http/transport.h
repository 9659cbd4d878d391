// The bytes of one connection, as they come or out of TLS: one type of stream for both. Not thread-safe; used on the
// strand of its socket.
#ifndef CHARTLY_COMMON_HTTP_TRANSPORT_H_
#define CHARTLY_COMMON_HTTP_TRANSPORT_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace chartly::http {

class Transport {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Socket::executor_type;
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  explicit Transport(Socket socket) : socket_(std::move(socket)) {}

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  bool secure() const { return tls_.has_value(); }

  // From now on everything goes through TLS. The handler gets the error of the handshake.
  template <typename Handler>
  void AsyncHandshake(Context context, Handler&& handler) {
    context_ = std::move(context);
    tls_.emplace(socket_, *context_);
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Handler>(handler));
  }
  // Says that nothing more is sent and waits for the other side to say so. Requires: secure.
  template <typename Handler>
  void AsyncShutdown(Handler&& handler) {
    tls_->async_shutdown(std::forward<Handler>(handler));
  }

  // What makes it a stream to Asio and Beast.
  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }

 private:
  Socket socket_;
  Context context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_TRANSPORT_H_
