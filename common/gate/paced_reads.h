// Reads the connections that a gate handed over at their pace (connection_pace.h), underneath the library that serves
// them: that library asks the C library for bytes by recvmsg, which paced_reads.cc defines in front of it, as another
// allocator stands in front of malloc. While a connection is paused there seems to be nothing to read; what the client
// sent waits in the kernel, and once the pause is over the kernel is made to say so anew. See docs/adr/0035.
//
// Sockets that were not handed over are read as ever. One for the process. Thread-safe.
#ifndef CHARTLY_COMMON_GATE_PACED_READS_H_
#define CHARTLY_COMMON_GATE_PACED_READS_H_

#include <sys/socket.h>

#include <array>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/gate/address_budgets.h"
#include "common/gate/connection_pace.h"

namespace chartly::gate {

class PacedReads {
 public:
  using Read = ssize_t (*)(int, msghdr*, int);

  // Lives as long as the process.
  static PacedReads& OfProcess();
  AddressBudgets& budgets() { return budgets_; }
  // From now on what is read of the connection `fd`, of which nothing was read yet, goes at its pace. `address`: its
  // key.
  void Begin(int fd, const std::string& address, Opening opening);
  // Charges the connection whose other end is `endpoint` (EndpointOf) for a call that was for nothing, if it is read at
  // its pace. A client may have that end on two ports of this process: then the one that began later pays.
  void Charge(const std::string& endpoint, absl::Duration cost);
  // recvmsg, done by `read`.
  ssize_t Receive(int fd, msghdr* message, int flags, Read read);

 private:
  struct Entry {
    uint64_t cookie;  // of the socket: a number of a descriptor comes again
    ConnectionPace pace;
    std::string endpoint;
  };
  struct Shard {
    absl::Mutex mu;
    absl::flat_hash_map<int, std::unique_ptr<Entry>> entries ABSL_GUARDED_BY(mu);
  };
  using Wake = std::pair<absl::Time, int>;

  PacedReads() = default;
  // Takes the connection away, which is over.
  void End(Shard& shard, int fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  void Settle(int fd, ConnectionPace& pace, absl::Time now);
  ssize_t ReceiveAtPace(int fd, msghdr* message, int flags, Read read, Entry& entry);
  // Has the kernel say of `fd`, at that time, that there is something to read.
  void WakeAt(absl::Time time, int fd);
  void WakeLoop();

  AddressBudgets budgets_;
  std::array<Shard, 64> shards_;
  absl::Mutex endpoints_mu_;
  absl::flat_hash_map<std::string, int> endpoints_ ABSL_GUARDED_BY(endpoints_mu_);
  absl::Mutex mu_;
  absl::CondVar changed_;
  bool waking_ ABSL_GUARDED_BY(mu_) = false;  // the thread runs
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::gate

#endif  // CHARTLY_COMMON_GATE_PACED_READS_H_
