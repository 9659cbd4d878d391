#include "control/reporter/dictionary.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "control/reporter/key_spelling.h"

namespace chartly::reporter {
namespace {

// What an entry takes in the maps beside its value.
constexpr int64_t kEntryBytes = 48;

std::optional<int64_t> WholeOf(const Value& value) {
  const Value spelled = KeySpelling(value);
  return spelled.type() == ValueType::kInteger ? std::optional<int64_t>(spelled.integer()) : std::nullopt;
}

// Whether `a` is the spelling to keep of two equal values.
bool IsPreferred(const Value& a, const Value& b) {
  if (a.type() != b.type()) return a.type() < b.type();
  if (a.type() == ValueType::kDecimal) return a.decimal().scale < b.decimal().scale;
  if (a.type() == ValueType::kTimestamp) return a.timestamp().offset_minutes < b.timestamp().offset_minutes;
  return false;
}

}  // namespace

uint32_t NumberCodes::FindElsewhere(int64_t number) {
  auto found = positions_.find(number);
  if (found == positions_.end()) return kNullCode;
  last_ = found->second;
  return codes_[last_];
}

size_t NumberCodes::Follow(const int64_t* numbers, size_t count, int16_t spelling, uint32_t* codes) {
  if (numbers_.empty()) return 0;
  const size_t first = last_ + 1;
  const size_t most = std::min(count, numbers_.size() - first);
  const int64_t* const known = numbers_.data() + first;
  const int16_t* const spellings = spellings_.data() + first;
  // As many at a time as one look decides.
  constexpr size_t kAtATime = 16;
  size_t i = 0;
  for (; i + kAtATime <= most; i += kAtATime) {
    uint64_t differ = 0;
    int worse = 0;
    for (size_t k = 0; k < kAtATime; ++k) {
      differ |= static_cast<uint64_t>(known[i + k] ^ numbers[i + k]);
      worse |= spellings[i + k] > spelling ? 1 : 0;
    }
    if (differ != 0 || worse != 0) break;
  }
  while (i < most && known[i] == numbers[i] && spellings[i] <= spelling) ++i;
  std::copy_n(codes_.data() + first, i, codes);
  last_ += static_cast<uint32_t>(i);
  if (i > 0 || spellings_[last_] > spelling) return i;
  // Or one that stays the same.
  for (; i < count && numbers[i] == numbers_[last_]; ++i) codes[i] = codes_[last_];
  return i;
}

void NumberCodes::Add(int64_t number, uint32_t code, int16_t spelling) {
  last_ = static_cast<uint32_t>(numbers_.size());
  positions_.emplace(number, last_);
  numbers_.push_back(number);
  codes_.push_back(code);
  spellings_.push_back(spelling);
}

uint32_t DictionaryBuilder::Add(Value value, int64_t bytes) {
  values_.push_back(std::move(value));
  kept_ = Ordered();
  bytes_ += static_cast<int64_t>(2 * sizeof(Value)) + kEntryBytes + 2 * bytes;
  return static_cast<uint32_t>(values_.size() - 1);
}

void DictionaryBuilder::Prefer(uint32_t code, const Value& value) {
  if (!IsPreferred(value, values_[code])) return;
  values_[code] = value;
  kept_ = Ordered();
}

uint32_t DictionaryBuilder::InternText(absl::string_view text) {
  auto found = texts_.find(text);
  if (found != texts_.end()) return found->second;
  uint32_t code = Add(Value::Text(text), static_cast<int64_t>(text.size()));
  texts_.emplace(text, code);
  return code;
}

uint32_t DictionaryBuilder::NewWhole(int64_t whole, const Value& value) {
  const int16_t spelling = value.type() == ValueType::kInteger ? kAsInteger : kAsOther;
  uint32_t code = whole_.Find(whole);
  if (code != kNullCode) {
    Prefer(code, value);
    whole_.Prefer(spelling);
    return code;
  }
  code = Add(value, 0);
  whole_.Add(whole, code, spelling);
  return code;
}

void DictionaryBuilder::InternIntegers(const int64_t* integers, size_t count, uint32_t* codes) {
  for (size_t i = 0; i < count;) {
    i += whole_.Follow(integers + i, count - i, kAsInteger, codes + i);
    if (i == count) return;
    codes[i] = InternInteger(integers[i]);
    ++i;
  }
}

void DictionaryBuilder::InternTimestamps(const int64_t* micros, int16_t offset_minutes, size_t count, uint32_t* codes) {
  for (size_t i = 0; i < count;) {
    i += timestamps_.Follow(micros + i, count - i, offset_minutes, codes + i);
    if (i == count) return;
    codes[i] = InternTimestamp({micros[i], offset_minutes});
    ++i;
  }
}

uint32_t DictionaryBuilder::NewTimestamp(Timestamp timestamp) {
  uint32_t code = timestamps_.Find(timestamp.micros);
  if (code != kNullCode) {
    Prefer(code, Value::Of(timestamp));
    timestamps_.Prefer(timestamp.offset_minutes);
    return code;
  }
  code = Add(Value::Of(timestamp), 0);
  timestamps_.Add(timestamp.micros, code, timestamp.offset_minutes);
  return code;
}

uint32_t DictionaryBuilder::NewDate(Date date) {
  uint32_t code = Add(Value::Of(date), 0);
  dates_.Add(date.days, code, kAsDate);
  return code;
}

uint32_t DictionaryBuilder::Intern(const Value& value) {
  switch (value.type()) {
    case ValueType::kNull:
      return kNullCode;
    case ValueType::kText:
      return InternText(value.text());
    case ValueType::kInteger:
      return InternInteger(value.integer());
    case ValueType::kTimestamp:
      return InternTimestamp(value.timestamp());
    case ValueType::kDate:
      return InternDate(value.date());
    default:
      break;
  }
  if (std::optional<int64_t> whole = WholeOf(value)) return NewWhole(*whole, value);
  std::string bytes;
  value.AppendCanonical(bytes);
  auto [entry, added] = canonical_.try_emplace(std::move(bytes), static_cast<uint32_t>(values_.size()));
  if (added) return Add(value, static_cast<int64_t>(entry->first.size()));
  Prefer(entry->second, value);
  return entry->second;
}

void DictionaryBuilder::Ordered::Place(BigVector<uint32_t>& codes) const {
  if (places.empty()) return;
  for (uint32_t& code : codes) {
    if (code != kNullCode) code = places[code];
  }
}

template <typename Take>
DictionaryBuilder::Ordered DictionaryBuilder::PutInOrder(Take&& take) {
  std::vector<uint32_t> order(values_.size());
  std::iota(order.begin(), order.end(), 0);
  auto less = [this](uint32_t a, uint32_t b) { return CompareValues(values_[a], values_[b]) < 0; };
  const bool in_order = std::is_sorted(order.begin(), order.end(), less);
  if (!in_order) std::sort(order.begin(), order.end(), less);
  auto sorted = std::make_shared<Dictionary>();
  sorted->reserve(values_.size());
  Ordered ordered;
  if (!in_order) ordered.places.resize(values_.size());
  for (uint32_t code : order) {
    if (!in_order) ordered.places[code] = static_cast<uint32_t>(sorted->size());
    sorted->push_back(take(values_[code]));
  }
  ordered.values = std::move(sorted);
  return ordered;
}

DictionaryPtr DictionaryBuilder::Finish(BigVector<uint32_t>& codes) {
  const Ordered ordered = PutInOrder([](Value& value) { return std::move(value); });
  ordered.Place(codes);
  *this = DictionaryBuilder();
  return ordered.values;
}

DictionaryPtr DictionaryBuilder::FinishAndKeep(BigVector<uint32_t>& codes) {
  if (kept_.values == nullptr) kept_ = PutInOrder([](const Value& value) { return value; });
  kept_.Place(codes);
  return kept_.values;
}

MergedDictionary MergeDictionaries(const Dictionary& left, const Dictionary& right) {
  MergedDictionary merged;
  auto values = std::make_shared<Dictionary>();
  size_t l = 0, r = 0;
  while (l < left.size() || r < right.size()) {
    int order = l == left.size() ? 1 : r == right.size() ? -1 : CompareValues(left[l], right[r]);
    uint32_t code = static_cast<uint32_t>(values->size());
    // Of equal values the left spelling is kept.
    values->push_back(order <= 0 ? left[l] : right[r]);
    if (order <= 0) {
      merged.left.push_back(code);
      ++l;
    }
    if (order >= 0) {
      merged.right.push_back(code);
      ++r;
    }
  }
  merged.values = std::move(values);
  return merged;
}

}  // namespace chartly::reporter
