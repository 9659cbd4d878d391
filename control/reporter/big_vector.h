// A vector for the columns of a report: large ones lie in big memory (big_memory.h). For the same reason as there
// elements that are made without a value (BigVector<T>(n), resize(n)) are not zeroed: whoever makes room fills it.
// Header only.
#ifndef CHARTLY_CONTROL_REPORTER_BIG_VECTOR_H_
#define CHARTLY_CONTROL_REPORTER_BIG_VECTOR_H_

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include "control/reporter/big_memory.h"

namespace chartly::reporter {

template <typename T>
class BigAllocator {
 public:
  using value_type = T;
  BigAllocator() = default;
  template <typename U>
  BigAllocator(const BigAllocator<U>&) {}  // NOLINT: containers convert between the types

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    return static_cast<T*>(bytes < kLarge ? ::operator new(bytes) : TakeBigMemory(bytes));
  }
  void deallocate(T* memory, size_t count) {
    if (count * sizeof(T) < kLarge) {
      ::operator delete(memory);
    } else {
      GiveBigMemory(memory, count * sizeof(T));
    }
  }
  template <typename U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;  // whatever was there
  }
  template <typename U, typename... Arguments>
  void construct(U* at, Arguments&&... arguments) {
    ::new (static_cast<void*>(at)) U(std::forward<Arguments>(arguments)...);
  }
  friend bool operator==(const BigAllocator&, const BigAllocator&) { return true; }

 private:
  static constexpr size_t kLarge = size_t{1} << 20;
};

template <typename T>
using BigVector = std::vector<T, BigAllocator<T>>;

// Makes room for `count` elements more. A large vector grows fourfold, so that it is seldom copied: of its room only
// what is used takes memory.
template <typename T>
void MakeRoom(BigVector<T>& vector, size_t count) {
  const size_t needed = vector.size() + count;
  if (needed <= vector.capacity()) return;
  vector.reserve(needed * (needed * sizeof(T) < (size_t{4} << 20) ? 2 : 4));
}

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_BIG_VECTOR_H_
