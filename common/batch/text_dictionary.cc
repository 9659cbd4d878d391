#include "common/batch/text_dictionary.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "common/text/utf8.h"

namespace chartly {
namespace {

constexpr size_t kFirstPlaces = 64;
constexpr size_t kFirstHeapBytes = 1024;

uint64_t HashOf(absl::string_view text) {
  const size_t size = text.size();
  if (size > 16) return XXH3_64bits(text.data(), size);
  uint64_t first = 0;
  uint64_t last = 0;
  if (size >= 8) {
    first = LoadWord<uint64_t>(text.data());
    last = LoadWord<uint64_t>(text.data() + size - 8);
  } else if (size >= 4) {
    first = LoadWord<uint32_t>(text.data());
    last = LoadWord<uint32_t>(text.data() + size - 4);
  } else if (size > 0) {
    first = static_cast<unsigned char>(text[0]) | uint64_t{static_cast<unsigned char>(text[size / 2])} << 8;
    last = static_cast<unsigned char>(text[size - 1]);
  }
  // Odd numbers that are no simple fractions of 2^64.
  first = (first + size) * 0x9E3779B97F4A7C15u;
  last *= 0xC2B2AE3D27D4EB4Fu;
  const uint64_t mixed = (first ^ (last >> 32 | last << 32)) * 0x165667B19E3779F9u;
  return mixed ^ mixed >> 32;
}

uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

bool IsWhole(absl::string_view text) { return IsShortAscii(text) || IsUtf8(text); }

}  // namespace

uint32_t TextDictionary::Add(absl::string_view text) {
  if (2 * size_t{placed_} >= places_.size()) GrowPlaces();
  const uint64_t hash = HashOf(text);
  Place& place = PlaceOf(text, hash);
  if (place.index_plus_one > 0) return place.index_plus_one - 1;
  // Only a new text can be bad: what is here was checked.
  if (!IsWhole(text)) return Add(ToUtf8(text));
  const uint32_t index = Keep(text);
  after_.resize(size(), 0);
  place = {index + 1, TagOf(hash)};
  ++placed_;
  return index;
}

uint32_t TextDictionary::AddOther(absl::string_view text) { return IsWhole(text) ? Keep(text) : Keep(ToUtf8(text)); }

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
  if (after_.size() > size()) after_.pop_back();
}

void TextDictionary::Clear() {
  std::fill(places_.begin(), places_.end(), Place{});
  placed_ = 0;
  offsets_.assign(1, 0);
  after_.clear();
}

inline TextDictionary::Place& TextDictionary::PlaceOf(absl::string_view text, uint64_t hash) {
  const size_t mask = places_.size() - 1;
  const uint32_t tag = TagOf(hash);
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    Place& place = places_[at];
    if (place.index_plus_one == 0 || (place.tag == tag && IsSameText(At(place.index_plus_one - 1), text))) return place;
  }
}

void TextDictionary::GrowHeap(size_t more) {
  const size_t used = offsets_.back();
  heap_capacity_ = std::max({kFirstHeapBytes, 2 * heap_capacity_, used + more});
  std::unique_ptr<char[]> larger(new char[heap_capacity_]);
  if (used > 0) std::memcpy(larger.get(), heap_.get(), used);
  heap_ = std::move(larger);
}

void TextDictionary::GrowPlaces() {
  std::vector<Place> before(std::max(kFirstPlaces, 2 * places_.size()));
  before.swap(places_);
  for (const Place& place : before) {
    if (place.index_plus_one == 0) continue;
    const absl::string_view text = At(place.index_plus_one - 1);
    PlaceOf(text, HashOf(text)) = place;
  }
}

}  // namespace chartly
