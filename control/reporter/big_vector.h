// A vector for the columns of a report: large ones lie on huge pages where the system has them, since the first touch
// of small pages costs more than most of what is done with a column. Header only.
#ifndef CHARTLY_CONTROL_REPORTER_BIG_VECTOR_H_
#define CHARTLY_CONTROL_REPORTER_BIG_VECTOR_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

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
    if (bytes < kLarge) return static_cast<T*>(::operator new(bytes));
    const size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    void* memory = std::aligned_alloc(kHugePage, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    ::madvise(memory, rounded, MADV_HUGEPAGE);  // advice; without it pages are small
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) {
    if (count * sizeof(T) < kLarge) {
      ::operator delete(memory);
    } else {
      std::free(memory);
    }
  }
  friend bool operator==(const BigAllocator&, const BigAllocator&) { return true; }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  static constexpr size_t kLarge = 2 * kHugePage;
};

template <typename T>
using BigVector = std::vector<T, BigAllocator<T>>;

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_BIG_VECTOR_H_
