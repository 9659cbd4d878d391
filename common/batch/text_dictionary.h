// Texts of a column in the order they came, in one block of bytes; distinct ones if they come through Add. Used by the
// builder of a text column. Keeps its memory over Clear. Not thread-safe.
#ifndef CHARTLY_COMMON_BATCH_TEXT_DICTIONARY_H_
#define CHARTLY_COMMON_BATCH_TEXT_DICTIONARY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/text/short_text.h"

namespace chartly {

class TextDictionary {
 public:
  TextDictionary() = default;
  TextDictionary(const TextDictionary&) = delete;
  TextDictionary& operator=(const TextDictionary&) = delete;

  // The index of the text, which is added if it is new. Text that is not UTF-8 is mended first.
  uint32_t Add(absl::string_view text);
  // Adds the text whether it is there or not, and Add will not find it. Where most texts are new, looking costs more
  // than it saves.
  uint32_t AddUnseen(absl::string_view text) { return IsShortAscii(text) ? Keep(text) : AddOther(text); }
  // Forgets the text added last. Requires: size() > 0.
  void RemoveLast();
  void Clear();

  uint32_t size() const { return static_cast<uint32_t>(offsets_.size() - 1); }
  absl::string_view At(uint32_t index) const {
    return absl::string_view(heap_.get() + offsets_[index], offsets_[index + 1] - offsets_[index]);
  }
  // A text that may come after the one at `index`: that which did so last, if somebody said so.
  uint32_t After(uint32_t index) const {
    const uint32_t after = index < after_.size() ? after_[index] : index;
    return after < size() ? after : index;
  }
  // Requires: the text at `index` came through Add.
  void SetAfter(uint32_t index, uint32_t after) { after_[index] = after; }
  // size() + 1 offsets into the bytes.
  const std::vector<uint32_t>& offsets() const { return offsets_; }
  absl::string_view heap() const { return {heap_.get(), offsets_.back()}; }
  // Of heap and offsets.
  size_t bytes() const { return offsets_.back() + offsets_.size() * sizeof(uint32_t); }

 private:
  // A place of the hash table: empty, or a text with the upper half of its hash, which settles most comparisons.
  struct Place {
    uint32_t index_plus_one = 0;
    uint32_t tag = 0;
  };
  Place& PlaceOf(absl::string_view text, uint64_t hash);
  uint32_t AddOther(absl::string_view text);
  uint32_t Keep(absl::string_view text) {
    const size_t begin = offsets_.back();
    if (heap_capacity_ - begin < text.size()) GrowHeap(text.size());
    CopyText(text, heap_.get() + begin);
    offsets_.push_back(static_cast<uint32_t>(begin + text.size()));
    return size() - 1;
  }
  void GrowPlaces();
  void GrowHeap(size_t more);

  std::unique_ptr<char[]> heap_;
  size_t heap_capacity_ = 0;
  std::vector<uint32_t> offsets_ = {0};
  std::vector<uint32_t> after_;  // one a text, up to the last that came through Add
  std::vector<Place> places_;    // a power of two; open addressing
  uint32_t placed_ = 0;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_TEXT_DICTIONARY_H_
