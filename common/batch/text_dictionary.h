// Distinct texts in the order they came, each once, in one block of bytes. Used by the builder of a text column.
// Not thread-safe. Not movable: its index points at it.
#ifndef CHARTLY_COMMON_BATCH_TEXT_DICTIONARY_H_
#define CHARTLY_COMMON_BATCH_TEXT_DICTIONARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace chartly {

class TextDictionary {
 public:
  TextDictionary();
  TextDictionary(const TextDictionary&) = delete;
  TextDictionary& operator=(const TextDictionary&) = delete;

  // The index of the text, which is added if it is new. Text that is not UTF-8 is mended first.
  uint32_t Add(absl::string_view text);
  // Forgets the text added last. Requires: size() > 0.
  void RemoveLast();
  void Clear();

  uint32_t size() const { return static_cast<uint32_t>(offsets_.size() - 1); }
  absl::string_view At(uint32_t index) const {
    return absl::string_view(heap_.data() + offsets_[index], offsets_[index + 1] - offsets_[index]);
  }
  // size() + 1 offsets into the bytes.
  const std::vector<uint32_t>& offsets() const { return offsets_; }
  const std::string& heap() const { return heap_; }

 private:
  struct Hash {
    using is_transparent = void;
    const TextDictionary* dictionary;
    size_t operator()(absl::string_view text) const;
    size_t operator()(uint32_t index) const { return (*this)(dictionary->At(index)); }
  };
  struct Equal {
    using is_transparent = void;
    const TextDictionary* dictionary;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t a, absl::string_view b) const { return dictionary->At(a) == b; }
    bool operator()(absl::string_view a, uint32_t b) const { return a == dictionary->At(b); }
  };

  std::string heap_;
  std::vector<uint32_t> offsets_ = {0};
  absl::flat_hash_set<uint32_t, Hash, Equal> index_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_TEXT_DICTIONARY_H_
