// A webhook source: the deliveries that came with the order of the run, one page each, as they were posted. Without
// any, the run has no pages. See source.h for the contract.
#ifndef CHARTLY_DRONE_FETCH_WEBHOOK_SOURCE_H_
#define CHARTLY_DRONE_FETCH_WEBHOOK_SOURCE_H_

#include <atomic>
#include <string>
#include <vector>

#include "drone/fetch/source.h"

namespace chartly::drone {

class WebhookSource final : public Source {
 public:
  WebhookSource(const Profile& profile, const SourceDeps& deps);

  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  void Cancel() override { cancelled_ = true; }

 private:
  const std::string profile_id_;
  const LimitsConfig limits_;
  Clock& steady_;
  const absl::Time deadline_;
  const std::vector<Delivery>* const deliveries_;  // null: none
  size_t given_ = 0;
  int64_t bytes_ = 0;
  std::string truncated_by_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_WEBHOOK_SOURCE_H_
