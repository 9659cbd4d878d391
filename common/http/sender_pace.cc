#include "common/http/sender_pace.h"

namespace chartly::http {

absl::Duration SenderPace::Wait(absl::Time now) {
  if (!Pays(key_) || standing_ == Standing::kSound || paid_) return absl::ZeroDuration();
  if (budgets_->HasWork(key_, now)) return absl::ZeroDuration();
  const absl::Duration wait = budgets_->TakeTurn(key_, kCostOfRefusal, kTurnPatience, now);
  paid_ = wait != absl::InfiniteDuration();
  return wait;
}

bool SenderPace::Admits(absl::string_view client, absl::Time now) const {
  if (budgets_ == nullptr) return true;
  const std::string key = gate::AddressKeyOf(client);
  return key.empty() || key == key_ || budgets_->HasWork(key, now);
}

void SenderPace::Draw(const std::string& key, absl::Duration cost, absl::Time now) {
  if (Pays(key)) budgets_->DrawWork(key, cost, now);
}

void SenderPace::Answered(bool for_nothing, absl::string_view client, absl::Time now) {
  standing_ = for_nothing ? Standing::kForNothing : Standing::kSound;
  if (for_nothing && budgets_ != nullptr) {
    const std::string key = client.empty() ? key_ : gate::AddressKeyOf(client);
    const bool is_paid = paid_ && key == key_;
    Draw(key, bytes_ * kCostOfByte + (is_paid ? absl::ZeroDuration() : kCostOfRefusal), now);
  }
  bytes_ = 0;
  paid_ = false;
}

void SenderPace::Refused(absl::Time now) {
  standing_ = Standing::kForNothing;
  Draw(key_, kCostOfHandshake, now);
  bytes_ = 0;
}

void SenderPace::End(absl::Time now) {
  if (standing_ == Standing::kSound) return;
  const bool is_free = paid_ || standing_ == Standing::kForNothing;
  const absl::Duration cost = bytes_ * kCostOfByte + (is_free ? absl::ZeroDuration() : kCostOfOpening);
  if (cost > absl::ZeroDuration()) Draw(key_, cost, now);
  bytes_ = 0;
  paid_ = true;  // should it end twice
}

}  // namespace chartly::http
