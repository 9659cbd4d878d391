#include "common/gate/connection_pace.h"

#include <algorithm>
#include <limits>

namespace chartly::gate {
namespace {

// Streams that are left behind with their connection cost as much as opening it by the third.
constexpr double kStreamsAnOpening = 3;

}  // namespace

absl::Duration ConnectionPace::AllowanceAt(absl::Time now) const {
  return std::min(kAllowanceMax, allowance_ + absl::ToDoubleSeconds(now - grown_) * kAllowanceASecond);
}

size_t ConnectionPace::MayRead(absl::Time now) const {
  if (now < paused_until_) return 0;
  if (opening_.tls) return std::numeric_limits<size_t>::max();
  const size_t earned = walker_.rest() + static_cast<size_t>(earned_) * kPieceOfACall;
  if (AllowanceAt(now) >= kTrust) return earned + kPieceOfTheTrusted;
  return earned + (budgets_.HasWork(address_, now) ? kPieceOfOthers : kPieceOfTheOverdrawn);
}

void ConnectionPace::Took(absl::string_view bytes) {
  if (opening_.tls) return;
  const int64_t begun = walker_.begun();
  const int64_t taken_back = walker_.taken_back();
  cost_ += walker_.Take(bytes);
  // A stream that was taken back is no call, and takes another one with it.
  const int64_t calls = walker_.begun() - begun - 2 * (walker_.taken_back() - taken_back);
  earned_ = std::clamp<int64_t>(earned_ + calls, 0, kEarnedCallsMax);
}

void ConnectionPace::Charge(absl::Duration cost) {
  cost_ += cost;
  // It is as if it had been taken back.
  earned_ = std::max<int64_t>(0, earned_ - 2);
}

bool ConnectionPace::Settle(absl::Time now) {
  if (cost_ == absl::ZeroDuration()) return false;
  const absl::Duration allowance = AllowanceAt(now);
  const absl::Duration own = std::min(allowance, cost_);
  allowance_ = allowance - own;
  grown_ = now;
  const absl::Duration rest = cost_ - own;
  cost_ = absl::ZeroDuration();
  if (rest == absl::ZeroDuration()) return false;
  const absl::Duration pause = budgets_.DrawWork(address_, rest, now);
  paused_until_ = std::max(paused_until_, now + pause);
  return pause > absl::ZeroDuration();
}

void ConnectionPace::End(absl::Time now) {
  if (now - opened_ >= kEarly) return;
  const double left_behind = static_cast<double>(std::max<int64_t>(0, walker_.begun() - walker_.taken_back()));
  const double opening = opening_.paid ? 0 : opening_.tls ? kOpeningsOfTls : 1;
  budgets_.DrawOpenings(address_, opening + left_behind / kStreamsAnOpening, now);
}

}  // namespace chartly::gate
