// A tiny HTTP/1.1 server on loopback for tests, with no product code in it. It maps targets (path with query) to
// answers, keeps every request it got, and counts accepted connections.
//
//   HttpFixture server;
//   server.Map("/data?page=1", {.body = "[1]", .headers = {{"Content-Type", "application/json"}}});
//   server.Script("/flaky", {{.status = 503}, {.body = "[]"}});   // one after the other; the last one stays
//   fetch(server.Url("/data?page=1"));  server.Count("/data?page=1") == 1;
//
// Thread-safe. The destructor ends all connections and joins all threads.
#ifndef CHARTLY_TEST_SUPPORT_HTTP_FIXTURE_H_
#define CHARTLY_TEST_SUPPORT_HTTP_FIXTURE_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace chartly::testing {

struct FixtureRequest {
  std::string method;
  std::string target;                          // as on the wire: "/data?page=1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct FixtureResponse {
  int status = 200;
  std::string body;
  std::map<std::string, std::string> headers;  // Content-Length is added
  std::chrono::milliseconds delay{0};          // before the first byte
  // If set, these bytes are sent instead of everything above, and the connection is closed.
  std::string raw;
  // If set, gives the body in pieces, chunked, until it gives an empty one or the client is gone; `body` is ignored.
  std::function<std::string()> stream;
};

class HttpFixture {
 public:
  using Handler = std::function<FixtureResponse(const FixtureRequest&)>;

  HttpFixture() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(listener_, 64) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      std::perror("HttpFixture: no loopback port");
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    accepter_ = std::thread([this] { AcceptLoop(); });
  }

  ~HttpFixture() {
    stopping_ = true;
    accepter_.join();
    for (std::thread& connection : connections_) connection.join();
    ::close(listener_);
  }

  HttpFixture(const HttpFixture&) = delete;
  HttpFixture& operator=(const HttpFixture&) = delete;

  // Answers `target` always so. Without an exact match the path alone (no query) is tried; else the answer is 404.
  void Map(const std::string& target, FixtureResponse response) { Script(target, {std::move(response)}); }

  // Answers `target` with these, one after the other; the last one stays.
  void Script(const std::string& target, std::vector<FixtureResponse> responses) {
    std::lock_guard<std::mutex> lock(mu_);
    scripts_[target] = {responses.begin(), responses.end()};
  }

  // Answers by code; `target` as in Map. A handler goes before a script.
  void Handle(const std::string& target, Handler handler) {
    std::lock_guard<std::mutex> lock(mu_);
    handlers_[target] = std::move(handler);
  }

  int port() const { return port_; }
  std::string Url(const std::string& target) const { return "http://127.0.0.1:" + std::to_string(port_) + target; }

  std::vector<FixtureRequest> requests() const {
    std::lock_guard<std::mutex> lock(mu_);
    return requests_;
  }

  // How many requests came for exactly this target; for all targets without an argument.
  int Count(const std::string& target = "") const {
    std::lock_guard<std::mutex> lock(mu_);
    int count = 0;
    for (const FixtureRequest& request : requests_) count += target.empty() || request.target == target;
    return count;
  }

  // How many bytes the kernel has taken from us.
  int64_t sent() const { return sent_; }

  // How many TCP connections were accepted.
  int accepted() const { return accepted_; }

 private:
  bool WaitReadable(int fd) const {
    while (!stopping_) {
      pollfd entry{fd, POLLIN, 0};
      if (::poll(&entry, 1, 20) > 0) return true;
    }
    return false;
  }

  void AcceptLoop() {
    while (WaitReadable(listener_)) {
      int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++accepted_;
      int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      connections_.emplace_back([this, fd] {
        Serve(fd);
        ::shutdown(fd, SHUT_RDWR);
        ::close(fd);
      });
    }
  }

  void Serve(int fd) {
    std::string input;
    FixtureRequest request;
    while (ReadRequest(fd, input, request)) {
      FixtureResponse response = Answer(request);
      for (auto left = response.delay; left.count() > 0 && !stopping_; left -= std::chrono::milliseconds(10)) {
        std::this_thread::sleep_for(std::min(left, std::chrono::milliseconds(10)));
      }
      if (!response.raw.empty()) {
        Write(fd, response.raw);
        return;
      }
      if (response.stream ? !WriteStream(fd, response) : !Write(fd, Render(request, response))) return;
    }
  }

  bool Fill(int fd, std::string& input) const {
    if (!WaitReadable(fd)) return false;
    char buffer[16384];
    ssize_t count = ::recv(fd, buffer, sizeof(buffer), 0);
    if (count <= 0) return false;
    input.append(buffer, static_cast<size_t>(count));
    return true;
  }

  bool ReadRequest(int fd, std::string& input, FixtureRequest& request) {
    size_t end;
    while ((end = input.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill(fd, input)) return false;
    }
    request = ParseHead(input.substr(0, end));
    input.erase(0, end + 4);
    auto length = request.headers.find("content-length");
    size_t wanted = length == request.headers.end() ? 0 : std::strtoull(length->second.c_str(), nullptr, 10);
    while (input.size() < wanted) {
      if (!Fill(fd, input)) return false;
    }
    request.body = input.substr(0, wanted);
    input.erase(0, wanted);
    std::lock_guard<std::mutex> lock(mu_);
    requests_.push_back(request);
    return true;
  }

  static FixtureRequest ParseHead(const std::string& head) {
    FixtureRequest request;
    size_t line_end = head.find("\r\n");
    std::string first = head.substr(0, line_end);
    size_t a = first.find(' ');
    size_t b = first.rfind(' ');
    request.method = first.substr(0, a);
    if (b > a) request.target = first.substr(a + 1, b - a - 1);
    while (line_end != std::string::npos) {
      size_t start = line_end + 2;
      line_end = head.find("\r\n", start);
      std::string line = head.substr(start, line_end == std::string::npos ? line_end : line_end - start);
      size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      std::string name = line.substr(0, colon);
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      size_t value = line.find_first_not_of(' ', colon + 1);
      request.headers[name] = value == std::string::npos ? "" : line.substr(value);
    }
    return request;
  }

  FixtureResponse Answer(const FixtureRequest& request) {
    Handler handler;
    {
      std::lock_guard<std::mutex> lock(mu_);
      std::string path = request.target.substr(0, request.target.find('?'));
      for (const std::string& key : {request.target, path}) {
        auto found = handlers_.find(key);
        if (found != handlers_.end()) {
          handler = found->second;
          break;
        }
        auto script = scripts_.find(key);
        if (script == scripts_.end() || script->second.empty()) continue;
        FixtureResponse response = script->second.front();
        if (script->second.size() > 1) script->second.pop_front();
        return response;
      }
    }
    if (handler) return handler(request);
    FixtureResponse missing;
    missing.status = 404;
    missing.body = "no such target: " + request.target;
    return missing;
  }

  static std::string RenderHead(const FixtureResponse& response) {
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " Status\r\n";
    for (const auto& [name, value] : response.headers) out += name + ": " + value + "\r\n";
    return out;
  }

  bool WriteStream(int fd, const FixtureResponse& response) {
    if (!Write(fd, RenderHead(response) + "Transfer-Encoding: chunked\r\n\r\n")) return false;
    while (true) {
      std::string piece = response.stream();
      char size[32];
      std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
      if (!Write(fd, size + piece + "\r\n")) return false;
      if (piece.empty()) return true;
    }
  }

  static std::string Render(const FixtureRequest& request, const FixtureResponse& response) {
    std::string out = RenderHead(response);
    out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n\r\n";
    return request.method == "HEAD" ? out : out + response.body;
  }

  bool Write(int fd, const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size() && !stopping_) {
      pollfd entry{fd, POLLOUT, 0};
      if (::poll(&entry, 1, 20) <= 0) continue;
      ssize_t count = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0) return false;
      sent += static_cast<size_t>(count);
      sent_ += count;
    }
    return sent == bytes.size();
  }

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  std::atomic<int64_t> sent_{0};
  std::thread accepter_;
  std::list<std::thread> connections_;  // touched by the accepter, and by the destructor after it
  mutable std::mutex mu_;
  std::map<std::string, std::deque<FixtureResponse>> scripts_;
  std::map<std::string, Handler> handlers_;
  std::vector<FixtureRequest> requests_;
};

}  // namespace chartly::testing

#endif  // CHARTLY_TEST_SUPPORT_HTTP_FIXTURE_H_
