#include "common/gate/connection_gate.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock/steady_clock.h"
#include "common/config/address.h"
#include "common/gate/address_budgets.h"
#include "common/gate/frame_walker.h"
#include "common/gate/paced_reads.h"
#include "common/handle/handle.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::gate {
namespace {

constexpr size_t kEventsMax = 256;
constexpr int kAcceptsAtOnce = 64;
// How often those are looked at who wait for their turn.
constexpr int kTurnMs = 10;
// Without descriptors it stays away from its listeners for as long.
constexpr absl::Duration kDeafness = absl::Milliseconds(100);
constexpr uint8_t kSettings = 4;
constexpr uint8_t kAck = 1;

using Addresses = std::unique_ptr<addrinfo, FreedBy<::freeaddrinfo>>;

absl::Status PortInUse(const std::string& address) {
  return Error(absl::StatusCode::kUnavailable, "PORT_IN_USE",
               absl::StrCat("cannot listen on ", address,
                            ": the port is in use or not permitted; stop the other process or choose another port"),
               {{"address", address}});
}

void Set(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

// A listening socket, or -1.
int Bind(const addrinfo& at) {
  const int fd = ::socket(at.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  Set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (at.ai_family == AF_INET6) Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  // The kernel makes of it what the machine allows.
  constexpr int kBacklog = 1 << 16;
  if (::bind(fd, at.ai_addr, at.ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  ::close(fd);
  return -1;
}

int PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  uint16_t port = 0;  // at the same place in both families
  std::memcpy(&port, reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in, sin_port), sizeof port);
  return ntohs(port);
}

Addresses Resolve(const Address& address, const char* host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host, absl::StrCat(address.port).c_str(), &hints, &found) != 0) return nullptr;
  return Addresses(found);
}

enum class Beginning { kShort, kSound, kOther };

// Of what the client has sent so far, in clear text.
Beginning ClearBeginning(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, kPreface.substr(0, std::min(bytes.size(), kPreface.size())))) return Beginning::kOther;
  if (bytes.size() < kPreface.size() + kFrameHeaderBytes) return Beginning::kShort;
  const auto kind = static_cast<uint8_t>(bytes[kPreface.size() + 3]);
  const auto flags = static_cast<uint8_t>(bytes[kPreface.size() + 4]);
  return kind == kSettings && (flags & kAck) == 0 ? Beginning::kSound : Beginning::kOther;
}

// The same in TLS: a record (RFC 8446, 5.1) of a handshake, whose first message is a ClientHello. `sent`: all that is
// there, of which these bytes are the first.
Beginning TlsBeginning(absl::string_view bytes, size_t sent) {
  constexpr size_t kRecordHeaderBytes = 5, kHandshakeHeaderBytes = 4, kRecordMax = 16384;
  constexpr char kHandshake = 22, kMajorVersion = 3, kClientHello = 1;
  auto differs = [&](size_t at, char wanted) { return bytes.size() > at && bytes[at] != wanted; };
  if (differs(0, kHandshake) || differs(1, kMajorVersion) || differs(kRecordHeaderBytes, kClientHello)) {
    return Beginning::kOther;
  }
  if (bytes.size() <= kRecordHeaderBytes) return Beginning::kShort;
  const size_t record = static_cast<uint8_t>(bytes[3]) * size_t{256} + static_cast<uint8_t>(bytes[4]);
  if (record < kHandshakeHeaderBytes || record > kRecordMax) return Beginning::kOther;
  return sent < kRecordHeaderBytes + record ? Beginning::kShort : Beginning::kSound;
}

}  // namespace

absl::StatusOr<int> ConnectionGate::Listen(const std::string& address) {
  ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  const bool any = parsed.host == "0.0.0.0" || parsed.host == "::";
  const size_t before = listeners_.size();
  int port = parsed.port;
  for (const char* host : {any ? "::" : parsed.host.c_str(), any ? "0.0.0.0" : nullptr}) {
    if (host == nullptr || listeners_.size() > before) break;
    const Addresses found = Resolve(Address{parsed.host, port}, host);
    for (const addrinfo* at = found.get(); at != nullptr; at = at->ai_next) {
      // A name may stand for several addresses: a free port is taken once.
      if (parsed.port == 0 && listeners_.size() > before) break;
      const int fd = Bind(*at);
      if (fd < 0) continue;
      listeners_.push_back(fd);
      port = PortOf(fd);
    }
  }
  if (listeners_.size() == before) return PortInUse(address);
  return port;
}

absl::Status ConnectionGate::Start(std::function<void(int)> hand_over) {
  hand_over_ = std::move(hand_over);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  stop_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event = {EPOLLIN, {.fd = stop_}};
  if (epoll_ < 0 || stop_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event) != 0) {
    return absl::InternalError(absl::StrCat("cannot wait for connections: ", std::strerror(errno)));
  }
  Listening(true);
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void ConnectionGate::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    if (::write(stop_, &one, sizeof one) < 0) return;  // cannot be: it counts to 2^64
    thread_.join();
  }
  for (const auto& [fd, waiting] : waiting_) ::close(fd);
  waiting_.clear();
  for (int fd : listeners_) ::close(fd);
  listeners_.clear();
  for (int* fd : {&epoll_, &stop_}) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
}

void ConnectionGate::Listening(bool on) {
  deaf_ = !on;
  for (int fd : listeners_) {
    epoll_event event = {EPOLLIN, {.fd = fd}};
    ::epoll_ctl(epoll_, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
  }
}

int ConnectionGate::TimeoutMs() const {
  if (!turns_.empty()) return kTurnMs;
  absl::Time next = deaf_ ? deaf_until_ : absl::InfiniteFuture();
  if (!by_age_.empty()) {
    auto oldest = waiting_.find(by_age_.front().first);
    // One that is gone is taken away at once.
    next = std::min(next, oldest == waiting_.end() ? absl::InfinitePast() : oldest->second.end);
  }
  if (next == absl::InfiniteFuture()) return -1;
  return static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(next - SteadyNow()) + 1));
}

void ConnectionGate::Run() {
  std::array<epoll_event, kEventsMax> events;
  while (true) {
    const int count = ::epoll_wait(epoll_, events.data(), kEventsMax, TimeoutMs());
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == stop_) return;
      if (std::find(listeners_.begin(), listeners_.end(), fd) != listeners_.end()) {
        Accept(fd);
      } else {
        Look(fd, events[static_cast<size_t>(i)].events);
      }
    }
    DropLate();
    LetIn();
    if (deaf_ && SteadyNow() >= deaf_until_) Listening(true);
  }
}

void ConnectionGate::Accept(int listener) {
  for (int i = 0; i < kAcceptsAtOnce && !deaf_; ++i) {
    sockaddr_storage peer = {};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Take(fd, peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      deaf_until_ = SteadyNow() + kDeafness;
      Listening(false);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void ConnectionGate::Take(int fd, const sockaddr_storage& peer) {
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  epoll_event event = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.fd = fd}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    ::close(fd);
    return;
  }
  const uint64_t number = ++last_number_;
  waiting_[fd] = {AddressKey(peer), SteadyNow() + kPatience, number, false};
  by_age_.emplace_back(fd, number);
  while (waiting_.size() > kWaitingMax) {
    std::deque<Ticket>& those = by_age_.empty() ? turns_ : by_age_;
    const Ticket oldest = those.front();
    those.pop_front();
    if (Find(oldest) != nullptr) Drop(oldest.first, "crowd");
  }
}

ConnectionGate::Waiting* ConnectionGate::Find(const Ticket& ticket) {
  auto found = waiting_.find(ticket.first);
  return found == waiting_.end() || found->second.number != ticket.second ? nullptr : &found->second;
}

void ConnectionGate::Look(int fd, uint32_t events) {
  auto found = waiting_.find(fd);
  if (found == waiting_.end()) return;
  // Who does not send any more gets no answer of gRPC either.
  if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) return Drop(fd, "hung_up");
  if (found->second.sound) return;
  std::array<char, kPreface.size() + kFrameHeaderBytes> begin;
  const ssize_t size = ::recv(fd, begin.data(), begin.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return Drop(fd, "hung_up");
  const absl::string_view bytes(begin.data(), static_cast<size_t>(size));
  int sent = 0;
  if (protocol_ == Protocol::kTls) ::ioctl(fd, FIONREAD, &sent);
  const Beginning beginning =
      protocol_ == Protocol::kTls ? TlsBeginning(bytes, static_cast<size_t>(std::max(sent, 0))) : ClearBeginning(bytes);
  if (beginning == Beginning::kShort) return;
  if (beginning == Beginning::kOther) {
    if (protocol_ == Protocol::kTls) Count("chartly_tls_refusals_total", 1, "rpc");
    return Drop(fd, protocol_ == Protocol::kTls ? "hello" : "preface");
  }
  if (PacedReads::OfProcess().budgets().MayOpen(found->second.address, SteadyNow())) return HandOver(fd, false);
  found->second.sound = true;
  found->second.end = SteadyNow() + kPatience;
  turns_.emplace_back(fd, found->second.number);
}

void ConnectionGate::HandOver(int fd, bool paid) {
  auto found = waiting_.find(fd);
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  PacedReads::OfProcess().Begin(fd, found->second.address, {paid, protocol_ == Protocol::kTls});
  waiting_.erase(found);
  hand_over_(fd);
}

void ConnectionGate::Drop(int fd, absl::string_view why) {
  waiting_.erase(fd);
  ::close(fd);
  Count("chartly_rpc_connections_closed_total", 1, why);
}

void ConnectionGate::DropLate() {
  const absl::Time now = SteadyNow();
  while (!by_age_.empty()) {
    const Ticket oldest = by_age_.front();
    const Waiting* waiting = Find(oldest);
    // Those who wait for their turn are looked at there.
    if (waiting != nullptr && !waiting->sound && now < waiting->end) return;
    by_age_.pop_front();
    if (waiting != nullptr && !waiting->sound) Drop(oldest.first, "silent");
  }
}

void ConnectionGate::LetIn() {
  AddressBudgets& budgets = PacedReads::OfProcess().budgets();
  const absl::Time now = SteadyNow();
  for (size_t left = turns_.size(); left > 0; --left) {
    const Ticket ticket = turns_.front();
    turns_.pop_front();
    const Waiting* waiting = Find(ticket);
    if (waiting == nullptr) continue;
    if (budgets.MayOpen(waiting->address, now)) {
      budgets.DrawOpenings(waiting->address, protocol_ == Protocol::kTls ? kOpeningsOfTls : 1, now);
      HandOver(ticket.first, true);
    } else if (now >= waiting->end) {
      Drop(ticket.first, "turn");
    } else {
      turns_.push_back(ticket);
    }
  }
}

}  // namespace chartly::gate
