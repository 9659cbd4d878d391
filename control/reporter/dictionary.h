// The distinct values of a key column in their order: a value's code is its place, so codes compare as values do, and
// joins and groups work on small whole numbers.
//
// Numbers that are equal share a code whatever their type, as in CompareValues; of several spellings (5, 5.00) the same
// one is kept whatever order they came in. A Dictionary is immutable and thread-safe; a builder is not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_DICTIONARY_H_
#define CHARTLY_CONTROL_REPORTER_DICTIONARY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/value/value.h"

namespace chartly::reporter {

// The code of a missing value.
inline constexpr uint32_t kNullCode = 0xFFFFFFFF;

using Dictionary = std::vector<Value>;
using DictionaryPtr = std::shared_ptr<const Dictionary>;

class DictionaryBuilder {
 public:
  // A provisional code; kNullCode for null.
  uint32_t Intern(const Value& value);
  uint32_t InternText(absl::string_view text);
  uint32_t InternInteger(int64_t integer);
  size_t size() const { return values_.size(); }
  // About how many bytes it takes.
  int64_t bytes() const { return bytes_; }
  // The values in order; `codes` change from provisional ones to places. The builder is then empty.
  DictionaryPtr Finish(std::vector<uint32_t>& codes);

 private:
  uint32_t Add(Value value, int64_t bytes);
  void Prefer(uint32_t code, const Value& value);

  std::vector<Value> values_;
  absl::flat_hash_map<std::string, uint32_t> texts_;
  absl::flat_hash_map<int64_t, uint32_t> integers_;       // whole numbers of 64 bits, of any type
  absl::flat_hash_map<std::string, uint32_t> canonical_;  // all others
  int64_t bytes_ = 0;
  int64_t last_integer_ = 0;  // what came last often comes again
  uint32_t last_integer_code_ = kNullCode;
};

// Two dictionaries as one: its values, and the code in it of each code of either.
struct MergedDictionary {
  DictionaryPtr values;
  std::vector<uint32_t> left;
  std::vector<uint32_t> right;
};
MergedDictionary MergeDictionaries(const Dictionary& left, const Dictionary& right);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_DICTIONARY_H_
