#include "control/aggregator/unsealed_batches.h"

#include <algorithm>

namespace chartly::aggregator {

// A look through the ids of two million rows takes some milliseconds, so they need no order.
bool UnsealedBatches::Batch::Has(const Hash128& id) const {
  return std::find(ids_->ids.begin(), ids_->ids.end(), id) != ids_->ids.end();
}

void UnsealedBatches::Add(std::vector<std::pair<uint64_t, BatchPtr>> batches) {
  absl::MutexLock lock(&mu_);
  for (auto& [number, batch] : batches) batches_[number] = std::move(batch);
}

void UnsealedBatches::Remove(const std::vector<uint64_t>& numbers) {
  absl::MutexLock lock(&mu_);
  for (uint64_t number : numbers) batches_.erase(number);
}

void UnsealedBatches::Clear() {
  absl::MutexLock lock(&mu_);
  batches_.clear();
}

UnsealedBatches::BatchPtr UnsealedBatches::Find(uint64_t number) const {
  absl::MutexLock lock(&mu_);
  auto known = batches_.find(number);
  return known == batches_.end() ? nullptr : known->second;
}

size_t UnsealedBatches::size() const {
  absl::MutexLock lock(&mu_);
  return batches_.size();
}

}  // namespace chartly::aggregator
