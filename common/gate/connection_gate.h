// Listens in front of a server of HTTP/2, in clear text or in TLS. The server sees nothing of a connection before its
// client has begun: with the preface and the head of its first settings, or with a whole first record of TLS, which is
// to be a ClientHello. Who sends something else, nothing for some seconds, or hangs up, costs the server nothing.
// Connections of an address that opened many for nothing wait for their turn (address_budgets.h), all others are handed
// over at once. From then on they are read at their pace (paced_reads.h).
//
// While the process has no descriptors left it waits, and takes connections again once there are some.
//
// Listen, Start and Stop are called from one thread; Stop is safe twice and before Start.
#ifndef CHARTLY_COMMON_GATE_CONNECTION_GATE_H_
#define CHARTLY_COMMON_GATE_CONNECTION_GATE_H_

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace chartly::gate {

// How long a client may take for its first bytes, or wait for its turn.
inline constexpr absl::Duration kPatience = absl::Seconds(5);
// Connections that are not handed over yet; the one that has waited longest goes for a new one.
inline constexpr size_t kWaitingMax = 4096;

enum class Protocol { kClear, kTls };

class ConnectionGate {
 public:
  explicit ConnectionGate(Protocol protocol) : protocol_(protocol) {}
  ~ConnectionGate() { Stop(); }
  ConnectionGate(const ConnectionGate&) = delete;
  ConnectionGate& operator=(const ConnectionGate&) = delete;
  // Binds host:port and returns the port, a free one for 0; 0.0.0.0 and :: take both families where the machine has
  // both. Unavailable (PORT_IN_USE) names the address. Requires: before Start.
  absl::StatusOr<int> Listen(const std::string& address);
  // `hand_over` gets the descriptors of connections, which are its own then. It is called from one thread, until Stop.
  absl::Status Start(std::function<void(int)> hand_over);
  // Closes what listens and what waits. Nothing is handed over when it is back.
  void Stop();

 private:
  struct Waiting {
    std::string address;
    absl::Time end;
    uint64_t number = 0;
    bool sound = false;  // has sent its preface, and waits for its turn
  };
  using Ticket = std::pair<int, uint64_t>;  // descriptor and number of what waits

  void Run();
  int TimeoutMs() const;
  void Accept(int listener);
  void Take(int fd, const sockaddr_storage& peer);
  void Look(int fd, uint32_t events);
  void HandOver(int fd, bool paid);
  void Drop(int fd, absl::string_view why);
  void DropLate();
  void LetIn();
  void Listening(bool on);
  Waiting* Find(const Ticket& ticket);

  const Protocol protocol_;
  std::vector<int> listeners_;
  int epoll_ = -1;
  int stop_ = -1;  // an eventfd
  std::function<void(int)> hand_over_;
  std::thread thread_;
  // Of the thread.
  absl::flat_hash_map<int, Waiting> waiting_;
  std::deque<Ticket> by_age_;  // with some that are gone
  std::deque<Ticket> turns_;   // the same
  uint64_t last_number_ = 0;
  absl::Time deaf_until_ = absl::InfinitePast();
  bool deaf_ = false;
};

}  // namespace chartly::gate

#endif  // CHARTLY_COMMON_GATE_CONNECTION_GATE_H_
