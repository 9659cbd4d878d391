// The distinct values of a key column in their order: a value's code is its place, so codes compare as values do, and
// joins and groups work on small whole numbers.
//
// Numbers that are equal share a code whatever their type, as in CompareValues; of several spellings (5, 5.00) the same
// one is kept whatever order they came in. A Dictionary is immutable and thread-safe; a builder is not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_DICTIONARY_H_
#define CHARTLY_CONTROL_REPORTER_DICTIONARY_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/value/value.h"
#include "control/reporter/big_vector.h"

namespace chartly::reporter {

// The code of a missing value.
inline constexpr uint32_t kNullCode = 0xFFFFFFFF;

using Dictionary = std::vector<Value>;
using DictionaryPtr = std::shared_ptr<const Dictionary>;

// Codes of whole numbers of one kind. What follows a number is guessed to be what followed it before, so that the times
// of one series after the other are found without hashing. A number may be spelled in several ways; the least spelling
// that was seen is kept beside it. Not thread-safe.
class NumberCodes {
 public:
  // The code given to the number; kNullCode if it has none yet.
  uint32_t Find(int64_t number) {
    for (uint32_t guess : {last_ + 1, last_}) {
      if (guess < numbers_.size() && numbers_[guess] == number) {
        last_ = guess;
        return codes_[guess];
      }
    }
    return FindElsewhere(number);
  }
  // The codes of the first numbers of a list, as many as follow each other as they did before and need no better
  // spelling. Says how many those are.
  size_t Follow(const int64_t* numbers, size_t count, int16_t spelling, uint32_t* codes);
  // Of the number found last: whether its spelling is as good as this one, and that this one is better.
  bool IsSettled(int16_t spelling) const { return spellings_[last_] <= spelling; }
  void Prefer(int16_t spelling) { spellings_[last_] = std::min(spellings_[last_], spelling); }
  // Requires: Find gave kNullCode.
  void Add(int64_t number, uint32_t code, int16_t spelling);

 private:
  uint32_t FindElsewhere(int64_t number);

  // Of each number, as they came.
  std::vector<int64_t> numbers_;
  std::vector<uint32_t> codes_;
  std::vector<int16_t> spellings_;
  absl::flat_hash_map<int64_t, uint32_t> positions_;  // of numbers among them
  uint32_t last_ = 0;
};

class DictionaryBuilder {
 public:
  // A provisional code; kNullCode for null.
  uint32_t Intern(const Value& value);
  uint32_t InternText(absl::string_view text);
  uint32_t InternInteger(int64_t integer) {
    uint32_t code = whole_.Find(integer);
    return code != kNullCode && whole_.IsSettled(kAsInteger) ? code : NewInteger(integer);
  }
  // The codes of many, as the one above gives each.
  void InternIntegers(const int64_t* integers, size_t count, uint32_t* codes);
  uint32_t InternTimestamp(Timestamp timestamp) {
    uint32_t code = timestamps_.Find(timestamp.micros);
    return code != kNullCode && timestamps_.IsSettled(timestamp.offset_minutes) ? code : NewTimestamp(timestamp);
  }
  void InternTimestamps(const int64_t* micros, int16_t offset_minutes, size_t count, uint32_t* codes);
  uint32_t InternDate(Date date) {
    uint32_t code = dates_.Find(date.days);
    return code != kNullCode ? code : NewDate(date);
  }
  size_t size() const { return values_.size(); }
  // About how many bytes it takes.
  int64_t bytes() const { return bytes_; }
  // The values in order; `codes` change from provisional ones to places. The builder is then empty.
  DictionaryPtr Finish(BigVector<uint32_t>& codes);
  // The same, and the builder keeps what it knows, so that values which come again are found. As long as no value is
  // new or better spelled it is the very same dictionary.
  DictionaryPtr FinishAndKeep(BigVector<uint32_t>& codes);

 private:
  // Spellings of whole numbers; those of a time are its offsets, and a date has one.
  static constexpr int16_t kAsInteger = 0;
  static constexpr int16_t kAsOther = 1;
  static constexpr int16_t kAsDate = 0;
  // Values in order, and the place of each code among them; no places if codes are places already.
  struct Ordered {
    DictionaryPtr values;
    std::vector<uint32_t> places;
    void Place(BigVector<uint32_t>& codes) const;
  };
  // Takes each value with `take(value)`.
  template <typename Take>
  Ordered PutInOrder(Take&& take);

  uint32_t Add(Value value, int64_t bytes);
  void Prefer(uint32_t code, const Value& value);
  // A number that is new, or whose spelling may be a better one.
  uint32_t NewWhole(int64_t whole, const Value& value);
  uint32_t NewInteger(int64_t integer) { return NewWhole(integer, Value::Integer(integer)); }
  uint32_t NewTimestamp(Timestamp timestamp);
  uint32_t NewDate(Date date);

  std::vector<Value> values_;
  absl::flat_hash_map<std::string, uint32_t> texts_;
  NumberCodes whole_;                                     // whole numbers of 64 bits, of any type
  NumberCodes timestamps_;                                // microseconds
  NumberCodes dates_;                                     // days
  absl::flat_hash_map<std::string, uint32_t> canonical_;  // all others
  int64_t bytes_ = 0;
  Ordered kept_;  // of FinishAndKeep; without values if they changed since then
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
