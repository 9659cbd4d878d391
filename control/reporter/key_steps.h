// How rows that follow each other differ in their keys, a few of them at a time, in loops that the compiler makes
// vector instructions of. Not thread-safe; the codes must outlive it. Header only.
#ifndef CHARTLY_CONTROL_REPORTER_KEY_STEPS_H_
#define CHARTLY_CONTROL_REPORTER_KEY_STEPS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace chartly::reporter {

class KeySteps {
 public:
  static constexpr size_t kAtATime = 1024;
  // The codes of each key column, the first one first.
  explicit KeySteps(std::vector<const uint32_t*> codes) : columns_(std::move(codes)) {}

  // Compares rows `begin` ... `end` - 1 each with the one before. Requires: 0 < begin, at most kAtATime rows.
  void Compare(size_t begin, size_t end) {
    const size_t count = end - begin;
    std::fill_n(equal_.begin(), count, kYes);
    uint32_t below = 0;
    for (const uint32_t* const codes : columns_) {
      const uint32_t* const now = codes + begin;
      const uint32_t* const before = now - 1;
      for (size_t i = 0; i < count; ++i) {
        below |= equal_[i] & (now[i] < before[i] ? kYes : 0);
        equal_[i] &= now[i] == before[i] ? kYes : 0;
      }
    }
    sorted_ = below == 0;
    uint32_t some = 0, all = kYes;
    for (size_t i = 0; i < count; ++i) {
      some |= equal_[i];
      all &= equal_[i];
    }
    distinct_ = some == 0;
    all_equal_ = all != 0;
  }
  bool sorted() const { return sorted_; }        // none has a smaller key
  bool distinct() const { return distinct_; }    // none has an equal one
  bool all_equal() const { return all_equal_; }  // all have
  bool IsEqual(size_t i) const { return equal_[i] != 0; }

 private:
  static constexpr uint32_t kYes = ~uint32_t{0};
  std::vector<const uint32_t*> columns_;
  std::array<uint32_t, kAtATime> equal_;
  bool sorted_ = true;
  bool distinct_ = true;
  bool all_equal_ = true;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_KEY_STEPS_H_
