// How fast the server reads one connection of HTTP/2. While a client makes calls, as fast as it sends. What it takes
// back or sends for nothing is drawn from a small allowance of the connection, which grows with time, and then from the
// budget of its address: once that is overdrawn the connection is not read for a while. It is the client that waits
// then, in its own socket: nothing is kept here, and who sends no such thing is never made to wait, whatever others of
// its address do.
//
// A read that has come cannot be put back. So a connection that has drawn on its allowance lately, or is new, is read
// in small pieces: the overdraft is at most what fits into one. Pieces grow with the calls that a connection made and
// let be: what it could take back in one piece more than others has cost it as many calls before. Calls that nobody
// could make sense of are charged when they end.
//
// What goes through TLS cannot be looked into: of such a connection only calls are charged, when they end, and that it
// ended soon, by what a handshake costs.
//
// Not thread-safe.
#ifndef CHARTLY_COMMON_GATE_CONNECTION_PACE_H_
#define CHARTLY_COMMON_GATE_CONNECTION_PACE_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/gate/address_budgets.h"
#include "common/gate/frame_walker.h"

namespace chartly::gate {

// Of one connection: a stream that is taken back every two seconds, twenty at once.
inline constexpr absl::Duration kAllowanceMax = absl::Milliseconds(2);
inline constexpr absl::Duration kAllowanceASecond = absl::Microseconds(50);
// An allowance of as much or more makes a connection trusted.
inline constexpr absl::Duration kTrust = absl::Milliseconds(1);
// Pieces of what lies between payloads.
inline constexpr size_t kPieceOfTheTrusted = 8192;
inline constexpr size_t kPieceOfOthers = 2048;
inline constexpr size_t kPieceOfTheOverdrawn = 128;
// What a call adds to them, no more than it takes to begin a stream and to take it back.
inline constexpr size_t kPieceOfACall = 28;
// A call that nobody could make sense of.
inline constexpr absl::Duration kCostOfFailedCall = absl::Microseconds(200);
inline constexpr int64_t kEarnedCallsMax = (64 << 10) / kPieceOfACall;
// A connection that ends sooner was opened for nothing.
inline constexpr absl::Duration kEarly = absl::Seconds(2);

// What a handshake of TLS costs, in connections in clear text.
inline constexpr double kOpeningsOfTls = 4;

struct Opening {
  bool paid = false;  // is drawn already
  bool tls = false;
};

class ConnectionPace {
 public:
  // `budgets` must outlive it.
  ConnectionPace(std::string address, Opening opening, absl::Time now, AddressBudgets& budgets)
      : address_(std::move(address)), opening_(opening), opened_(now), grown_(now), budgets_(budgets) {}
  // How many bytes to read at most; 0 before paused_until().
  size_t MayRead(absl::Time now) const;
  // What was read.
  void Took(absl::string_view bytes);
  // What one of its calls cost, which was for nothing.
  void Charge(absl::Duration cost);
  // Draws for what was read since. Returns whether a pause begins.
  bool Settle(absl::Time now);
  // Draws for a connection that is over.
  void End(absl::Time now);
  absl::Time paused_until() const { return paused_until_; }
  // Whether it is to be closed.
  bool broken() const { return walker_.broken(); }

 private:
  absl::Duration AllowanceAt(absl::Time now) const;

  const std::string address_;
  const Opening opening_;
  const absl::Time opened_;
  FrameWalker walker_;
  absl::Duration cost_;
  int64_t earned_ = 0;  // calls that were let be, less those that others were taken back for
  absl::Duration allowance_;
  absl::Time grown_;  // when allowance_ was that
  absl::Time paused_until_ = absl::InfinitePast();
  AddressBudgets& budgets_;
};

}  // namespace chartly::gate

#endif  // CHARTLY_COMMON_GATE_CONNECTION_PACE_H_
