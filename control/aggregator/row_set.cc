#include "control/aggregator/row_set.h"

#include "common/batch/batch.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

void AppendVarint(std::string& out, uint32_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

bool ReadVarint(absl::string_view& bytes, uint32_t& number) {
  number = 0;
  for (int shift = 0; shift < 28 && !bytes.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

RowSet RowSet::All(uint32_t rows) {
  RowSet set;
  set.words_.assign((rows + 63) / 64, ~uint64_t{0});
  if (rows % 64 != 0) set.words_.back() = ~uint64_t{0} >> (64 - rows % 64);
  return set;
}

void RowSet::AddAll(const RowSet& other) {
  if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
  for (size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
}

void RowSet::RemoveAll(const RowSet& other) {
  for (size_t i = 0; i < std::min(words_.size(), other.words_.size()); ++i) words_[i] &= ~other.words_[i];
}

uint32_t RowSet::Count() const {
  uint32_t count = 0;
  for (uint64_t word : words_) count += static_cast<uint32_t>(std::popcount(word));
  return count;
}

std::string RowSet::ToBits(uint32_t rows) const {
  std::string bits((rows + 7) / 8, '\0');
  for (size_t i = 0; i < bits.size() && i / 8 < words_.size(); ++i) {
    bits[i] = static_cast<char>(words_[i / 8] >> i % 8 * 8);
  }
  return bits;
}

RowSet RowSet::FromBits(absl::string_view bits) {
  RowSet set;
  set.words_.resize((bits.size() + 7) / 8);
  for (size_t i = 0; i < bits.size(); ++i) {
    set.words_[i / 8] |= uint64_t{static_cast<unsigned char>(bits[i])} << i % 8 * 8;
  }
  return set;
}

std::string RowSet::ToRanges() const {
  std::string out;
  uint32_t end = 0, begin = 0, previous_end = 0;
  bool open = false;
  auto close = [&] {
    if (!open) return;
    AppendVarint(out, begin - previous_end);
    AppendVarint(out, end - begin);
    previous_end = end;
  };
  ForEach(0, [&](uint32_t row) {
    if (!open || row != end) {
      close();
      begin = row;
      open = true;
    }
    end = row + 1;
    return true;
  });
  close();
  return out;
}

absl::StatusOr<RowSet> RowSet::FromRanges(absl::string_view ranges) {
  RowSet set;
  uint32_t next = 0;
  while (!ranges.empty()) {
    uint32_t gap = 0, length = 0;
    bool read = ReadVarint(ranges, gap) && ReadVarint(ranges, length);
    if (!read || uint64_t{next} + gap + length > kMaxBatchRows) {
      return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT", "a list of row ranges does not parse");
    }
    next += gap;
    for (uint32_t end = next + length; next < end; ++next) set.Add(next);
  }
  return set;
}

}  // namespace chartly::aggregator
