#include "common/gate/paced_reads.h"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "common/clock/steady_clock.h"
#include "common/telemetry/metrics.h"

namespace chartly::gate {
namespace {

// Of one read; a library that wants more gets less.
constexpr size_t kPiecesMax = 64;

// Of the kernel, another one for each socket; 0 for what is none.
uint64_t CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

std::string EndpointOfSocket(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  return EndpointOf(address);
}

// Where a message goes that may have `bytes_max` bytes.
struct Clipped {
  std::array<iovec, kPiecesMax> pieces;
  msghdr message;
  Clipped(const msghdr& whole, size_t bytes_max) : message(whole) {
    message.msg_iov = pieces.data();
    message.msg_iovlen = 0;
    for (size_t i = 0; i < whole.msg_iovlen && i < kPiecesMax && bytes_max > 0; ++i) {
      iovec& piece = pieces[message.msg_iovlen++];
      piece = whole.msg_iov[i];
      piece.iov_len = std::min(piece.iov_len, bytes_max);
      bytes_max -= piece.iov_len;
    }
  }
};

bool IsOver(ssize_t received) {
  return received == 0 || (received < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

}  // namespace

PacedReads& PacedReads::OfProcess() {
  static PacedReads& reads = *new PacedReads();
  return reads;
}

void PacedReads::Begin(int fd, const std::string& address, Opening opening) {
  const std::string endpoint = EndpointOfSocket(fd);
  auto entry =
      std::make_unique<Entry>(Entry{CookieOf(fd), ConnectionPace(address, opening, SteadyNow(), budgets_), endpoint});
  Shard& shard = shards_[static_cast<size_t>(fd) % shards_.size()];
  absl::MutexLock lock(&shard.mu);
  End(shard, fd);  // one that the server closed by itself
  shard.entries[fd] = std::move(entry);
  if (endpoint.empty()) return;
  absl::MutexLock endpoints_lock(&endpoints_mu_);
  endpoints_[endpoint] = fd;
}

void PacedReads::End(Shard& shard, int fd) {
  auto found = shard.entries.find(fd);
  if (found == shard.entries.end()) return;
  found->second->pace.End(SteadyNow());
  {
    absl::MutexLock lock(&endpoints_mu_);
    auto known = endpoints_.find(found->second->endpoint);
    if (known != endpoints_.end() && known->second == fd) endpoints_.erase(known);
  }
  shard.entries.erase(found);
}

void PacedReads::Charge(const std::string& endpoint, absl::Duration cost) {
  int fd = -1;
  {
    absl::MutexLock lock(&endpoints_mu_);
    auto known = endpoints_.find(endpoint);
    if (known == endpoints_.end()) return;
    fd = known->second;
  }
  Shard& shard = shards_[static_cast<size_t>(fd) % shards_.size()];
  absl::MutexLock lock(&shard.mu);
  auto found = shard.entries.find(fd);
  if (found == shard.entries.end() || found->second->endpoint != endpoint) return;
  found->second->pace.Charge(cost);
  Settle(fd, found->second->pace, SteadyNow());
}

void PacedReads::Settle(int fd, ConnectionPace& pace, absl::Time now) {
  if (!pace.Settle(now)) return;
  const MetricTenant nobodys("");  // a thread that waits for something of a tenant reads for others meanwhile
  Count("chartly_rpc_pauses_total");
  WakeAt(pace.paused_until(), fd);
}

ssize_t PacedReads::Receive(int fd, msghdr* message, int flags, Read read) {
  if ((flags & (MSG_PEEK | MSG_ERRQUEUE)) != 0) return read(fd, message, flags);
  Shard& shard = shards_[static_cast<size_t>(fd) % shards_.size()];
  absl::ReleasableMutexLock lock(&shard.mu);
  auto found = shard.entries.find(fd);
  if (found != shard.entries.end() && found->second->cookie != CookieOf(fd)) {
    End(shard, fd);
    found = shard.entries.end();
  }
  if (found == shard.entries.end()) {
    lock.Release();
    return read(fd, message, flags);
  }
  const ssize_t received = ReceiveAtPace(fd, message, flags, read, *found->second);
  if (IsOver(received)) {
    const int error = errno;
    End(shard, fd);
    errno = error;
  }
  return received;
}

ssize_t PacedReads::ReceiveAtPace(int fd, msghdr* message, int flags, Read read, Entry& entry) {
  const absl::Time now = SteadyNow();
  const size_t bytes_max = entry.pace.MayRead(now);
  if (bytes_max == 0) {
    errno = EAGAIN;
    return -1;
  }
  Clipped clipped(*message, bytes_max);
  // It does not block: no other connection of the shard waits for long.
  const ssize_t received = read(fd, &clipped.message, flags | MSG_DONTWAIT);
  if (received <= 0) return received;
  message->msg_namelen = clipped.message.msg_namelen;
  message->msg_controllen = clipped.message.msg_controllen;
  message->msg_flags = clipped.message.msg_flags;
  size_t left = static_cast<size_t>(received);
  for (size_t i = 0; left > 0; ++i) {
    const size_t size = std::min(left, clipped.pieces[i].iov_len);
    entry.pace.Took({static_cast<const char*>(clipped.pieces[i].iov_base), size});
    left -= size;
  }
  if (entry.pace.broken()) {
    const MetricTenant nobodys("");
    Count("chartly_rpc_connections_closed_total", 1, "header_block");
    ::shutdown(fd, SHUT_RDWR);
    errno = ECONNRESET;
    return -1;
  }
  Settle(fd, entry.pace, now);
  return received;
}

void PacedReads::WakeAt(absl::Time time, int fd) {
  absl::MutexLock lock(&mu_);
  wakes_.emplace(time, fd);
  changed_.Signal();
  if (waking_) return;
  waking_ = true;
  std::thread([this] { WakeLoop(); }).detach();
}

void PacedReads::WakeLoop() {
  absl::MutexLock lock(&mu_);
  while (true) {
    if (wakes_.empty()) {
      changed_.Wait(&mu_);
      continue;
    }
    const auto [time, fd] = wakes_.top();
    const absl::Duration left = time - SteadyNow();
    if (left > absl::ZeroDuration()) {
      changed_.WaitWithTimeout(&mu_, left);
      continue;
    }
    wakes_.pop();
    // The kernel looks again whether there is something to read, and tells all who wait for it. Should the number be
    // another socket's by now, that is told what it has been told before.
    const int least = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
  }
}

}  // namespace chartly::gate

extern "C" __attribute__((visibility("default"))) ssize_t recvmsg(int fd, msghdr* message, int flags) {
  // Of the next library that has one: the C library, or a sanitizer in front of it.
  static const auto next = reinterpret_cast<chartly::gate::PacedReads::Read>(::dlsym(RTLD_NEXT, "recvmsg"));
  if (next == nullptr) std::abort();
  return chartly::gate::PacedReads::OfProcess().Receive(fd, message, flags, next);
}
