// The first few of many keys, in order and in their one spelling, each once: what a person is shown of records without
// a partner. Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_KEY_EXAMPLES_H_
#define CHARTLY_CONTROL_REPORTER_KEY_EXAMPLES_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/value/value.h"

namespace chartly::reporter {

// Gives dim d of a key.
using DimLookup = absl::FunctionRef<Value(size_t)>;

class KeyExamples {
 public:
  static constexpr size_t kMaxExamples = 10;
  explicit KeyExamples(size_t key_width) : key_width_(key_width) {}
  void Offer(DimLookup dim);
  // Offers what the other has. Requires: the same width.
  void Offer(const KeyExamples& other);
  // "Japan / 2014"; a missing value is "(none)".
  std::vector<std::string> Texts() const;

 private:
  size_t key_width_;
  std::vector<std::vector<Value>> keys_;  // sorted
};

// Order of keys of `width` values: by the first value that differs.
int CompareKeys(const Value* a, const Value* b, size_t width);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_KEY_EXAMPLES_H_
