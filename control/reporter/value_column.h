// A list of values in about nine bytes each: integers, doubles and decimals of 64 bits lie packed, others aside. Every
// value comes back exactly as it was added. Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_VALUE_COLUMN_H_
#define CHARTLY_CONTROL_REPORTER_VALUE_COLUMN_H_

#include <cstdint>
#include <vector>

#include "common/value/value.h"

namespace chartly::reporter {

class ValueColumn {
 public:
  // Adds a value and returns about how many bytes it took.
  int64_t Add(const Value& value);
  Value Get(size_t i) const;
  size_t size() const { return tags_.size(); }

 private:
  static constexpr uint8_t kInteger = 1;
  static constexpr uint8_t kFloat = 2;
  static constexpr uint8_t kAside = 3;     // the word is an index into aside_
  static constexpr uint8_t kDecimal = 16;  // plus the scale
  std::vector<uint8_t> tags_;
  std::vector<int64_t> words_;
  std::vector<Value> aside_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_VALUE_COLUMN_H_
