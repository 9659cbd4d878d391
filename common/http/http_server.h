// A small HTTP/1.1 server on Boost.Beast, with or without TLS: the gateway's front and the admin port of every process.
//
// Bounded: body, headers, time to send a request, connections. The handler is called on an I/O thread and must not
// block for long; it answers by the reply object, at once or later, from any thread. Errors in HTTP itself are answered
// here. Start and Shutdown are called from one thread; Shutdown is safe twice and before Start.
#ifndef CHARTLY_COMMON_HTTP_HTTP_SERVER_H_
#define CHARTLY_COMMON_HTTP_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace chartly::gate {
class AddressBudgets;
}  // namespace chartly::gate

namespace chartly::http {

struct Request {
  std::string method;                                      // "GET"
  std::string path;                                        // percent-decoded? no: as sent, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::map<std::string, std::string> headers;              // names in lower case
  std::string body;
  std::string remote_address;  // of who asked: ServerOptions::client_of
  bool secure = false;         // came over TLS
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool for_nothing = false;  // nobody can make sense of the request: who sent it pays (ServerOptions::budgets)
};

// The answer to one request. Exactly one of Send or StartStream. Thread-safe; after the client left, calls do nothing.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void Send(Response response) = 0;
  // Sends status and headers, then pieces until End. Write says false once the client is gone or more than 1 MiB waits
  // to be sent (a slow reader): the caller stops then.
  virtual void StartStream(Response head) = 0;
  virtual bool Write(std::string piece) = 0;
  virtual void End() = 0;
  // Calls back once less than 256 KiB of a stream wait to be sent, at once if that is so already, or the client is
  // gone: how a writer that must not lose its reader keeps in step with it. One at a time.
  virtual void OnRoom(std::function<void()> callback) = 0;
  // Called once when the client leaves before the answer ended.
  virtual void OnGone(std::function<void()> callback) = 0;
};

using Handler = std::function<void(Request request, std::shared_ptr<Reply> reply)>;

// PEM files, read again when they change. Empty: plaintext.
struct TlsFiles {
  std::string certificate;  // with what lies between it and its authority
  std::string key;

  bool empty() const { return certificate.empty(); }
};

struct ServerOptions {
  size_t max_body_bytes = size_t{16} << 20;
  size_t max_header_bytes = size_t{32} << 10;
  absl::Duration request_timeout = absl::Seconds(30);  // to receive a whole request
  absl::Duration idle_timeout = absl::Seconds(60);
  int max_connections = 10000;
  int threads = 2;
  TlsFiles tls = {};  // with them TLS only; whoever speaks plaintext is told so and nothing more
  // What addresses may cost for nothing: who has overdrawn it is read slowly (sender_pace.h). Must outlive the server.
  // Null: nobody pays.
  gate::AddressBudgets* budgets = nullptr;
  // Who asked, where somebody else connected. Null: who connected.
  std::function<std::string(const Request&)> client_of = nullptr;
  // Whether this address connects for others, and so is never made to wait.
  std::function<bool(const std::string&)> connects_for_others = nullptr;
};

class HttpServer {
 public:
  static std::unique_ptr<HttpServer> Create(Handler handler, ServerOptions options = {});
  virtual ~HttpServer() = default;
  // host:port; port 0 takes a free one. Unavailable (PORT_IN_USE) naming the address if it cannot be bound;
  // FailedPrecondition (TLS_FILES_INVALID) naming the file.
  virtual absl::Status Start(const std::string& address) = 0;
  virtual int port() const = 0;
  // Takes no new connections, lets answers under way end until the deadline, then closes all.
  virtual void Shutdown(absl::Duration drain) = 0;
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_HTTP_SERVER_H_
