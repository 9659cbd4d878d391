// A plain connection from an address of this machine, for tests that say what a client of gRPC sends byte by byte. Not
// thread-safe.
#ifndef CHARTLY_COMMON_RPC_RAW_CLIENT_FOR_TEST_H_
#define CHARTLY_COMMON_RPC_RAW_CLIENT_FOR_TEST_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/string_view.h"
#include "test/support/test.h"

namespace chartly::rpc {

class RawClientForTest {
 public:
  RawClientForTest(int port, const char* from) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, from, &address.sin_addr);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(static_cast<uint16_t>(port));
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~RawClientForTest() { ::close(fd_); }
  RawClientForTest(const RawClientForTest&) = delete;
  RawClientForTest& operator=(const RawClientForTest&) = delete;
  // Sends what fits, and returns how much that was.
  size_t Send(absl::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  // Whether the server has closed it.
  bool IsClosed() {
    return ReadIs([](ssize_t got) { return got == 0 || (got < 0 && errno != EAGAIN); });
  }
  // All that the server has sent so far.
  const std::string& Got() {
    ReadIs([](ssize_t) { return false; });
    return got_;
  }

 private:
  template <typename Is>
  bool ReadIs(Is is) {
    char bytes[4096];
    while (true) {
      const ssize_t got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got <= 0) return is(got);
      got_.append(bytes, static_cast<size_t>(got));
    }
  }

  const int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string got_;
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_RAW_CLIENT_FOR_TEST_H_
