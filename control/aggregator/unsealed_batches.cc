#include "control/aggregator/unsealed_batches.h"

#include <algorithm>

namespace chartly::aggregator {
namespace {

uint32_t PrintOf(const Hash128& id) { return static_cast<uint32_t>(id.low); }

}  // namespace

UnsealedBatches::Batch::Batch(absl::Span<const Hash128> ids, std::vector<DimRange> ranges)
    : ranges_(std::move(ranges)) {
  prints_.reserve(ids.size());
  for (const Hash128& id : ids) prints_.push_back(PrintOf(id));
}

// A look through the prints of two million rows takes less than a millisecond, so they need no order.
bool UnsealedBatches::Batch::MayHave(const Hash128& id) const {
  return std::find(prints_.begin(), prints_.end(), PrintOf(id)) != prints_.end();
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
