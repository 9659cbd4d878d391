// How fast the requests of one connection are read. Who sends what makes no sense to anybody pays for it from the
// budget of its address (common/gate/address_budgets.h); once that is overdrawn, connections of this address are not
// read for a while: new ones, and those whose last request made no sense. One whose last request was sound is read as
// ever, whatever others of its address do. Who waits has a turn of its own, paid for beforehand; those whose turn would
// come too late are refused.
//
// Who connects for others, as a proxy does, is never made to wait: what it passes on is paid for by whom it names.
//
// Not thread-safe.
#ifndef CHARTLY_COMMON_HTTP_SENDER_PACE_H_
#define CHARTLY_COMMON_HTTP_SENDER_PACE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/gate/address_budgets.h"

namespace chartly::http {

// Measured on one core of an EPYC; see docs/adr/0042.
inline constexpr absl::Duration kCostOfOpening = absl::Microseconds(50);   // and sending no request
inline constexpr absl::Duration kCostOfRefusal = absl::Microseconds(200);  // with its connection
inline constexpr absl::Duration kCostOfHandshake = absl::Milliseconds(1);  // that failed
inline constexpr absl::Duration kCostOfByte = absl::Nanoseconds(3);
// Who would have to wait longer is refused.
inline constexpr absl::Duration kTurnPatience = absl::Seconds(5);

class SenderPace {
 public:
  // `address` is who connected; empty if that connects for others. Null `budgets`: nobody waits, nobody pays. They must
  // outlive it.
  SenderPace(gate::AddressBudgets* budgets, absl::string_view address)
      : budgets_(budgets), key_(gate::AddressKeyOf(address)) {}
  // How long the next request is not to be read yet; then its turn has come, and this is zero. InfiniteDuration: it is
  // refused.
  absl::Duration Wait(absl::Time now);
  // Whether what `client` asks for may be done, where another one connected for it.
  bool Admits(absl::string_view client, absl::Time now) const;
  // What was read.
  void Took(size_t bytes) { bytes_ += bytes; }
  // A request was answered. `for_nothing`: it made no sense; `client` is who asked.
  void Answered(bool for_nothing, absl::string_view client, absl::Time now);
  // The handshake failed.
  void Refused(absl::Time now);
  // The connection is over.
  void End(absl::Time now);
  // Whether its address has something left.
  bool HasWork(absl::Time now) const { return !Pays(key_) || budgets_->HasWork(key_, now); }

 private:
  enum class Standing { kNew, kSound, kForNothing };

  bool Pays(const std::string& key) const { return budgets_ != nullptr && !key.empty(); }
  void Draw(const std::string& key, absl::Duration cost, absl::Time now);

  gate::AddressBudgets* const budgets_;
  const std::string key_;
  Standing standing_ = Standing::kNew;
  bool paid_ = false;  // for the next request
  size_t bytes_ = 0;   // that nobody has paid for
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_SENDER_PACE_H_
