#include "common/batch/text_dictionary.h"

#include <xxhash.h>

#include "common/text/utf8.h"

namespace chartly {

size_t TextDictionary::Hash::operator()(absl::string_view text) const { return XXH3_64bits(text.data(), text.size()); }

TextDictionary::TextDictionary() : index_(16, Hash{this}, Equal{this}) {}

uint32_t TextDictionary::Add(absl::string_view text) {
  auto found = index_.find(text);
  if (found != index_.end()) return *found;
  // Only a new text can be bad: what is here was checked.
  if (!IsUtf8(text)) return Add(ToUtf8(text));
  uint32_t index = size();
  heap_.append(text.data(), text.size());
  offsets_.push_back(static_cast<uint32_t>(heap_.size()));
  index_.insert(index);
  return index;
}

void TextDictionary::RemoveLast() {
  index_.erase(size() - 1);
  offsets_.pop_back();
  heap_.resize(offsets_.back());
}

void TextDictionary::Clear() {
  index_.clear();
  heap_.clear();
  offsets_.assign(1, 0);
}

}  // namespace chartly
