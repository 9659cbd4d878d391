#include "common/gate/connection_pace.h"

#include <algorithm>

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
  if (AllowanceAt(now) >= kAllowanceMax) return walker_.rest() + kPieceOfTheTrusted;
  return walker_.rest() + (budgets_.HasWork(address_, now) ? kPieceOfOthers : kPieceOfTheOverdrawn);
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
  paused_until_ = now + pause;
  return pause > absl::ZeroDuration();
}

void ConnectionPace::End(absl::Time now) {
  if (now - opened_ >= kEarly) return;
  const double left_behind = static_cast<double>(std::max<int64_t>(0, walker_.begun() - walker_.taken_back()));
  budgets_.DrawOpenings(address_, (paid_ ? 0 : 1) + left_behind / kStreamsAnOpening, now);
}

}  // namespace chartly::gate
