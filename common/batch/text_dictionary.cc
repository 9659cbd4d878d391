#include "common/batch/text_dictionary.h"

#include <xxhash.h>

#include <algorithm>

#include "common/text/utf8.h"

namespace chartly {
namespace {

constexpr size_t kFirstPlaces = 64;

uint64_t HashOf(absl::string_view text) { return XXH3_64bits(text.data(), text.size()); }
uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

}  // namespace

uint32_t TextDictionary::Add(absl::string_view text) {
  if (2 * size_t{placed_} >= places_.size()) Grow();
  const uint64_t hash = HashOf(text);
  Place& place = PlaceOf(text, hash);
  if (place.index_plus_one > 0) return place.index_plus_one - 1;
  // Only a new text can be bad: what is here was checked.
  if (!IsUtf8(text)) return Add(ToUtf8(text));
  uint32_t index = Keep(text);
  place = {index + 1, TagOf(hash)};
  ++placed_;
  return index;
}

uint32_t TextDictionary::AddUnseen(absl::string_view text) { return IsUtf8(text) ? Keep(text) : Keep(ToUtf8(text)); }

void TextDictionary::RemoveLast() {
  const absl::string_view last = At(size() - 1);
  // Nothing was placed after the newest text, so nothing was pushed past its place.
  if (!places_.empty()) {
    Place& place = PlaceOf(last, HashOf(last));
    if (place.index_plus_one == size()) {
      place = {};
      --placed_;
    }
  }
  offsets_.pop_back();
  heap_.resize(offsets_.back());
}

void TextDictionary::Clear() {
  std::fill(places_.begin(), places_.end(), Place{});
  placed_ = 0;
  heap_.clear();
  offsets_.assign(1, 0);
}

TextDictionary::Place& TextDictionary::PlaceOf(absl::string_view text, uint64_t hash) {
  const size_t mask = places_.size() - 1;
  const uint32_t tag = TagOf(hash);
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    Place& place = places_[at];
    if (place.index_plus_one == 0 || (place.tag == tag && At(place.index_plus_one - 1) == text)) return place;
  }
}

uint32_t TextDictionary::Keep(absl::string_view text) {
  heap_.append(text.data(), text.size());
  offsets_.push_back(static_cast<uint32_t>(heap_.size()));
  return size() - 1;
}

void TextDictionary::Grow() {
  std::vector<Place> before(std::max(kFirstPlaces, 2 * places_.size()));
  before.swap(places_);
  for (const Place& place : before) {
    if (place.index_plus_one == 0) continue;
    const absl::string_view text = At(place.index_plus_one - 1);
    PlaceOf(text, HashOf(text)) = place;
  }
}

}  // namespace chartly
