// A plain blocking socket, for tests that say what a client does byte by byte. Not thread-safe.
#ifndef CHARTLY_COMMON_HTTP_RAW_CLIENT_FOR_TEST_H_
#define CHARTLY_COMMON_HTTP_RAW_CLIENT_FOR_TEST_H_

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace chartly::http {

class RawClientForTest {
 public:
  // Reads give up after 10 s.
  explicit RawClientForTest(int port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Close();
  }
  ~RawClientForTest() { Close(); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool Send(const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      ssize_t count = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }
  void EndInput() { ::shutdown(fd_, SHUT_WR); }
  // Reads until `marker` was seen, or the end.
  std::string ReadUntil(const std::string& marker) {
    char bytes[4096];
    while (marker.empty() || buffered_.find(marker) == std::string::npos) {
      ssize_t count = ::recv(fd_, bytes, sizeof(bytes), 0);
      if (count <= 0) break;
      buffered_.append(bytes, static_cast<size_t>(count));
    }
    size_t found = marker.empty() ? std::string::npos : buffered_.find(marker);
    size_t end = found == std::string::npos ? buffered_.size() : found + marker.size();
    std::string out = buffered_.substr(0, end);
    buffered_.erase(0, end);
    return out;
  }
  std::string ReadAll() { return ReadUntil(""); }

  RawClientForTest(const RawClientForTest&) = delete;
  RawClientForTest& operator=(const RawClientForTest&) = delete;

 private:
  int fd_;
  std::string buffered_;
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_RAW_CLIENT_FOR_TEST_H_
