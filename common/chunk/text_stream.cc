#include "common/chunk/text_stream.h"

#include <algorithm>
#include <cstring>

#include "common/chunk/chunk.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/text_pattern.h"

namespace chartly {
namespace {

using Texts = absl::Span<const absl::string_view>;

// What shares fewer bytes with its neighbour than one in so many is better left to the compressor.
constexpr size_t kSharedOneIn = 4;

// A pattern that makes texts so many times smaller is taken without trying anything else.
constexpr size_t kPatternPaysOneIn = 2;

void KeepSmaller(std::string candidate, std::string& best) {
  if (candidate.size() < best.size()) best = std::move(candidate);
}

std::string Begin(TextEncoding encoding) { return std::string(1, static_cast<char>(encoding)); }

void AppendPlain(Texts texts, std::string& out) {
  std::vector<int64_t> lengths;
  std::string heap;
  for (absl::string_view text : texts) {
    lengths.push_back(static_cast<int64_t>(text.size()));
    heap.append(text.data(), text.size());
  }
  EncodeIntegers(lengths, out);
  AppendBlock(heap, out);
}

std::string EncodePlain(Texts texts) {
  std::string out = Begin(TextEncoding::kPlain);
  AppendPlain(texts, out);
  return out;
}

std::vector<int64_t> SharedBytes(Texts texts) {
  std::vector<int64_t> shared;
  absl::string_view previous;
  for (absl::string_view text : texts) {
    auto place = std::mismatch(text.begin(), text.end(), previous.begin(), previous.end());
    shared.push_back(place.first - text.begin());
    previous = text;
  }
  return shared;
}

std::string EncodeShared(Texts texts, const std::vector<int64_t>& shared) {
  std::string out = Begin(TextEncoding::kShared);
  EncodeIntegers(shared, out);
  std::vector<absl::string_view> rests;
  for (size_t i = 0; i < texts.size(); ++i) rests.push_back(texts[i].substr(static_cast<size_t>(shared[i])));
  AppendPlain(rests, out);
  return out;
}

std::optional<std::string> EncodePattern(Texts texts) {
  std::optional<TextPattern> pattern = TextPattern::Find(texts);
  if (!pattern) return std::nullopt;
  std::string out = Begin(TextEncoding::kPattern);
  pattern->Encode(texts, out);
  return out;
}

// Turns lengths into ends. False if one is negative or the sum is past the bound.
bool SumLengths(absl::Span<const int64_t> lengths, std::vector<uint32_t>& ends) {
  uint64_t end = 0;
  ends.resize(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (static_cast<uint64_t>(lengths[i]) > kMaxColumnHeapBytes) return false;
    end += static_cast<uint64_t>(lengths[i]);
    if (end > kMaxColumnHeapBytes) return false;
    ends[i] = static_cast<uint32_t>(end);
  }
  return true;
}

bool DecodePlain(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch) {
  auto lengths = scratch.TakeIntegers();
  lengths->resize(count);
  return DecodeIntegers(in, count, lengths->data(), scratch) && SumLengths(*lengths, ends) &&
         ReadBlock(in, ends.empty() ? 0 : ends.back(), heap);
}

bool DecodeShared(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch) {
  auto shared = scratch.TakeIntegers();
  auto rests = scratch.TakeBytes();
  shared->resize(count);
  rests->clear();
  if (!DecodeIntegers(in, count, shared->data(), scratch) || !DecodePlain(in, count, ends, *rests, scratch)) {
    return false;
  }
  // First the sizes, so that the heap is allocated once and within its bound.
  size_t total = 0;
  uint64_t previous = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto prefix = static_cast<uint64_t>((*shared)[i]);
    if (prefix > previous) return false;
    previous = prefix + ends[i] - (i == 0 ? 0 : ends[i - 1]);
    total += previous;
    if (total > kMaxColumnHeapBytes) return false;
  }
  heap.resize(total);
  char* at = heap.data();
  const char* rest = rests->data();
  const char* before = at;
  uint32_t rest_begin = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto prefix = static_cast<size_t>((*shared)[i]);
    const uint32_t rest_end = ends[i];
    std::memcpy(at, before, prefix);
    std::memcpy(at + prefix, rest, rest_end - rest_begin);
    before = at;
    at += prefix + (rest_end - rest_begin);
    rest += rest_end - rest_begin;
    rest_begin = rest_end;
    ends[i] = static_cast<uint32_t>(at - heap.data());
  }
  return true;
}

}  // namespace

void EncodeTexts(absl::Span<const absl::string_view> texts, std::string& out) {
  const std::vector<int64_t> shared = SharedBytes(texts);
  size_t shared_bytes = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    shared_bytes += static_cast<size_t>(shared[i]);
    bytes += texts[i].size();
  }
  std::optional<std::string> pattern = EncodePattern(texts);
  if (pattern && pattern->size() * kPatternPaysOneIn < bytes) {
    out += *pattern;
    return;
  }
  std::string best = pattern ? std::move(*pattern) : EncodePlain(texts);
  if (pattern) KeepSmaller(EncodePlain(texts), best);
  if (shared_bytes * kSharedOneIn > bytes) KeepSmaller(EncodeShared(texts, shared), best);
  out += best;
}

std::optional<std::string> EncodeTextsAs(TextEncoding encoding, absl::Span<const absl::string_view> texts) {
  switch (encoding) {
    case TextEncoding::kPlain:
      return EncodePlain(texts);
    case TextEncoding::kShared:
      return EncodeShared(texts, SharedBytes(texts));
    case TextEncoding::kPattern:
      return EncodePattern(texts);
  }
  return std::nullopt;
}

bool DecodeTexts(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch) {
  uint8_t encoding = 0;
  if (!in.Byte(encoding)) return false;
  switch (static_cast<TextEncoding>(encoding)) {
    case TextEncoding::kPlain:
      return DecodePlain(in, count, ends, heap, scratch);
    case TextEncoding::kShared:
      return DecodeShared(in, count, ends, heap, scratch);
    case TextEncoding::kPattern:
      return TextPattern::Decode(in, count, ends, heap, scratch);
  }
  return false;
}

}  // namespace chartly
