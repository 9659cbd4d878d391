// One HTTP/1.1 connection: reads a request, hands it to the handler, sends the answer, and again. A second request that
// arrives early waits in the buffer until the first is answered.
//
// Everything but Run, Drain and Abort happens on the strand of the socket. Kept alive by its pending operations and by
// the reply under way.
#ifndef CHARTLY_COMMON_HTTP_CONNECTION_H_
#define CHARTLY_COMMON_HTTP_CONNECTION_H_

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/http/http_server.h"
#include "common/http/sender_pace.h"
#include "common/http/server_core.h"
#include "common/http/transport.h"

namespace chartly::http {

class Exchange;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<ServerCore> core);
  ~Connection();

  void Run();
  // Closes at once if no request is under way, else after its answer.
  void Drain();
  void Abort();

  // For Exchange, from any thread: run on the strand, in order.
  void PostHead(Response head, bool streamed);
  void PostPiece(std::string piece, std::shared_ptr<std::atomic<size_t>> waiting);
  void PostEnd();
  void PostClose();

 private:
  using ErrorCode = boost::system::error_code;
  struct Piece {
    std::string bytes;
    std::shared_ptr<std::atomic<size_t>> waiting;  // counts bytes not yet sent; may be null
  };

  template <typename Task>
  void Post(Task task);
  // Whether the connection is not read for now; it goes on with `then` when its turn comes.
  bool Waits(void (Connection::*then)());
  void RefuseUnread();
  void Begin();
  void WaitForGreeting();
  void Greet();
  void RefusePlaintext();
  void WaitForRequest();
  void ReadBytes();
  void OnBytes(ErrorCode error, size_t count);
  void ReadHead();
  void OnHead(ErrorCode error);
  void ReadBody();
  void OnBody(ErrorCode error);
  void Dispatch();
  void OnReadError(ErrorCode error);
  void SendOverdrawn();
  void SendError(int status, const char* code, const char* reason, const std::string& message);

  void WriteHead(Response head, bool streamed);
  void Enqueue(std::string bytes, std::shared_ptr<std::atomic<size_t>> waiting);
  void WriteSome();
  void OnWritten(ErrorCode error, size_t count);
  void OnAnswered();
  void Linger();
  void EndOutput();
  void DiscardInput();
  void Close();
  void Forget();  // no longer counts as open

  void Deadline(absl::Duration limit, void (Connection::*on_expiry)());
  void NoDeadline();
  void OnRequestTimeout();
  void OnHandshakeTimeout();

  const std::shared_ptr<ServerCore> core_;  // first: it owns the io_context of what follows
  Transport stream_;
  boost::asio::steady_timer timer_;
  int deadline_ = 0;  // counts deadlines, so that an expiry that is already queued is known as old
  std::string remote_address_;
  std::string client_;  // who asked what is being answered; empty before it is known
  SenderPace pace_;

  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  bool waits_ = false;  // for its turn; what came before that stays in the buffer
  bool reading_ = false;
  bool timed_out_ = false;
  bool input_ended_ = false;

  std::weak_ptr<Exchange> exchange_;
  bool busy_ = false;       // a request is being answered
  bool streaming_ = false;  // its answer comes in pieces
  bool chunked_ = false;    // and the pieces are framed
  bool answered_ = false;   // the last byte is in the queue
  bool keep_alive_ = false;
  bool linger_ = false;  // unread input is likely: read it before closing, or the client may lose the answer
  bool head_only_ = false;
  bool closed_ = false;
  std::deque<Piece> queue_;
  size_t sent_ = 0;  // bytes of the first piece
  bool writing_ = false;
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_CONNECTION_H_
