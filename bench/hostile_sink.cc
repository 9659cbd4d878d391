// What `./dev bench hostile` compares Chartly with: a server that reads what comes and does nothing with it. One thread
// answers each request of HTTP/1.1 with an empty refusal, each call of HTTP/2 with the end of its stream, and keeps
// quiet connections as long as their clients do. So a flood at it costs what the machine takes for the bytes and the
// connections, and nothing else.
//
// Prints the port of HTTP/1.1 and that of HTTP/2, and ends with its standard input.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>

namespace {

constexpr char kRefusal[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
constexpr size_t kPrefaceBytes = 24;
constexpr size_t kFrameHeaderBytes = 9;
constexpr uint8_t kHeaders = 1;  // only these and data, which are 0, end streams
constexpr uint8_t kEndStream = 1, kEndHeaders = 4;
constexpr char kStatus200 = '\x88';  // in HPACK
constexpr size_t kReadBytes = 64 << 10;

struct Connection {
  bool http2 = false;
  bool answered = false;
  size_t skip = kPrefaceBytes;  // before the next frame
  std::array<uint8_t, kFrameHeaderBytes> header = {};
  size_t header_bytes = 0;
};

[[noreturn]] void Give(const char* what) {
  std::perror(what);
  std::exit(1);
}

int Listen(int epoll) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  epoll_event event = {EPOLLIN, {.fd = fd}};
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 4096) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    Give("listen");
  }
  std::printf("%d\n", ntohs(address.sin_port));
  return fd;
}

// The ends of the streams that these bytes end.
std::string EndsOf(Connection& connection, const char* bytes, size_t size) {
  std::string ends;
  while (size > 0) {
    const size_t skipped = std::min(connection.skip, size);
    connection.skip -= skipped;
    bytes += skipped;
    size -= skipped;
    for (; size > 0 && connection.header_bytes < kFrameHeaderBytes; --size) {
      connection.header[connection.header_bytes++] = static_cast<uint8_t>(*bytes++);
    }
    if (connection.header_bytes < kFrameHeaderBytes) return ends;
    connection.header_bytes = 0;
    const auto& header = connection.header;
    connection.skip = size_t{header[0]} << 16 | size_t{header[1]} << 8 | header[2];
    if (header[3] > kHeaders || (header[4] & kEndStream) == 0) continue;
    ends += {0, 0, 1, kHeaders, kEndStream | kEndHeaders};
    ends.append(reinterpret_cast<const char*>(header.data()) + 5, 4);
    ends += kStatus200;
  }
  return ends;
}

// Whether the connection goes on.
bool Serve(int fd, Connection& connection) {
  static std::array<char, kReadBytes> bytes;
  const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
  if (size <= 0) return false;
  std::string answer;
  if (connection.http2) {
    answer = EndsOf(connection, bytes.data(), static_cast<size_t>(size));
  } else if (!connection.answered) {
    connection.answered = true;
    answer = kRefusal;
  }
  // Who does not take it does not get it.
  if (!answer.empty()) ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return true;
}

}  // namespace

int main() {
  rlimit files = {};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const int http = Listen(epoll);
  const int http2 = Listen(epoll);
  std::fflush(stdout);
  epoll_event input = {EPOLLIN, {.fd = STDIN_FILENO}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) Give("standard input");
  std::unordered_map<int, Connection> connections;
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == STDIN_FILENO) return 0;
      if (fd != http && fd != http2) {
        if (Serve(fd, connections[fd])) continue;
        connections.erase(fd);
        ::close(fd);
        continue;
      }
      const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      epoll_event event = {EPOLLIN, {.fd = accepted}};
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
      connections[accepted].http2 = fd == http2;
    }
  }
}
