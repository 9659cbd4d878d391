#include "control/reporter/key_examples.h"

#include <algorithm>

#include "control/reporter/key_spelling.h"

namespace chartly::reporter {

int CompareKeys(const Value* a, const Value* b, size_t width) {
  for (size_t d = 0; d < width; ++d) {
    if (int order = CompareValues(a[d], b[d]); order != 0) return order;
  }
  return 0;
}

void KeyExamples::Offer(DimLookup dim) {
  std::vector<Value> key;
  key.reserve(key_width_);
  for (size_t d = 0; d < key_width_; ++d) key.push_back(KeySpelling(dim(d)));
  auto compare = [this](const std::vector<Value>& a, const std::vector<Value>& b) {
    return CompareKeys(a.data(), b.data(), key_width_) < 0;
  };
  auto place = std::lower_bound(keys_.begin(), keys_.end(), key, compare);
  if (place == keys_.end() && keys_.size() == kMaxExamples) return;
  if (place != keys_.end() && CompareKeys(place->data(), key.data(), key_width_) == 0) return;
  keys_.insert(place, std::move(key));
  if (keys_.size() > kMaxExamples) keys_.pop_back();
}

void KeyExamples::Offer(const KeyExamples& other) {
  for (const std::vector<Value>& key : other.keys_) {
    Offer([&key](size_t d) { return key[d]; });
  }
}

std::vector<std::string> KeyExamples::Texts() const {
  std::vector<std::string> texts;
  for (const std::vector<Value>& key : keys_) {
    std::string text;
    for (const Value& value : key) {
      if (&value != &key.front()) text += " / ";
      text += value.is_null() ? "(none)" : value.ToText();
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace chartly::reporter
