#include "control/aggregator/slot_array.h"

#include <sys/mman.h>

namespace chartly::aggregator {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

SlotArray::~SlotArray() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_bytes_);
}

std::optional<SlotArray> SlotArray::Make(size_t count) {
  SlotArray made;
  const size_t bytes = count * sizeof(uint64_t);
  const bool large = bytes >= 2 * kHugePage;
  // A huge page begins at a multiple of its size. What is mapped besides is never touched.
  made.mapped_bytes_ = large ? bytes + kHugePage : bytes;
  void* mapping = ::mmap(nullptr, made.mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return std::nullopt;
  made.mapping_ = mapping;
  made.count_ = count;
  size_t offset = 0;
  if (large) {
    offset = (kHugePage - reinterpret_cast<uintptr_t>(mapping) % kHugePage) % kHugePage;
    ::madvise(static_cast<char*>(mapping) + offset, bytes, MADV_HUGEPAGE);  // advice; without it pages are small
  }
  made.slots_ = reinterpret_cast<uint64_t*>(static_cast<char*>(mapping) + offset);
  return made;
}

void SlotArray::Touch() {
  constexpr size_t kSlotsOfPage = 4096 / sizeof(uint64_t);
  for (size_t slot = 0; slot < count_; slot += kSlotsOfPage) *const_cast<volatile uint64_t*>(&slots_[slot]) = 0;
}

}  // namespace chartly::aggregator
