// What each address may cost the server for nothing: work on what clients take back or nobody can make sense of, and
// connections that end as soon as they are there. Both come back with time. An address of IPv6 is its network of 64
// bits, since who has one has them all.
//
// Only what is drawn is remembered, of a bounded number of addresses; where there is no room for another one, it has
// whole budgets each time. Thread-safe.
#ifndef CHARTLY_COMMON_GATE_ADDRESS_BUDGETS_H_
#define CHARTLY_COMMON_GATE_ADDRESS_BUDGETS_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace chartly::gate {

struct Budgets {
  // Of one core, each second. A hundred streams that are taken back.
  absl::Duration work_a_second = absl::Milliseconds(10);
  absl::Duration work_at_once = absl::Milliseconds(30);
  double openings_a_second = 100;
  double openings_at_once = 500;
  // An overdraft is forgotten after as long.
  absl::Duration memory = absl::Seconds(10);
  size_t addresses_max = 65536;
};

// The budget that the other end of a connection draws on: one a host, whatever its port. Empty for what is no address.
std::string AddressKey(const sockaddr_storage& address);
// The same of an address as text, without a port.
std::string AddressKeyOf(absl::string_view host);
// The other end of a connection itself: a whole address and its port. Empty for what is no address.
std::string EndpointOf(const sockaddr_storage& address);
std::string EndpointOf(absl::string_view host, uint16_t port);

class AddressBudgets {
 public:
  explicit AddressBudgets(Budgets budgets = {}) : budgets_(budgets) {}
  // Takes `work` off, and returns how long it is until there is some again: zero while there is.
  absl::Duration DrawWork(absl::string_view address, absl::Duration work, absl::Time now);
  bool HasWork(absl::string_view address, absl::Time now) const;
  // Takes `work` off beforehand, and returns how long to wait until it is paid for: zero while there is some. If that
  // is longer than `patience`, takes nothing and returns InfiniteDuration.
  absl::Duration TakeTurn(absl::string_view address, absl::Duration work, absl::Duration patience, absl::Time now);
  void DrawOpenings(absl::string_view address, double count, absl::Time now);
  bool MayOpen(absl::string_view address, absl::Time now) const;
  // Addresses that are remembered.
  size_t size() const;

 private:
  struct Account {
    absl::Duration work;
    double openings;
    absl::Time at;
  };
  Account Whole(absl::Time now) const { return {budgets_.work_at_once, budgets_.openings_at_once, now}; }
  // The account as it is now.
  Account Now(absl::string_view address, absl::Time now) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  Account Refilled(const Account& account, absl::Time now) const;
  absl::Duration Lacks(const Account& account) const;
  bool IsWhole(const Account& account) const;
  void Keep(absl::string_view address, const Account& account) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Budgets budgets_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string, Account> accounts_ ABSL_GUARDED_BY(mu_);
  absl::Time forgotten_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace chartly::gate

#endif  // CHARTLY_COMMON_GATE_ADDRESS_BUDGETS_H_
