#include <atomic>
#include <cstdlib>
#include <new>

#include "drone/decode/allocations_for_test.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// The address sanitizer would otherwise take this form for its own.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace chartly::drone {

int64_t AllocationsForTest() { return allocations; }

}  // namespace chartly::drone
