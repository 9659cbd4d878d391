#include "common/chunk/text_stream.h"

#include "common/chunk/chunk.h"
#include "common/chunk/integer_stream.h"

namespace chartly {
namespace {

// The order is stored; never change it.
enum class TextEncoding : uint8_t {
  kPlain = 0,  // lengths, then a block of all bytes
};

void EncodePlain(absl::Span<const absl::string_view> texts, std::string& out) {
  std::vector<int64_t> lengths;
  std::string heap;
  for (absl::string_view text : texts) {
    lengths.push_back(static_cast<int64_t>(text.size()));
    heap.append(text.data(), text.size());
  }
  out.push_back(static_cast<char>(TextEncoding::kPlain));
  EncodeIntegers(lengths, out);
  AppendBlock(heap, out);
}

// Turns lengths into ends. False if one is negative or the sum is past the bound.
bool SumLengths(absl::Span<const int64_t> lengths, std::vector<uint32_t>& ends) {
  uint64_t end = 0;
  for (int64_t length : lengths) {
    if (length < 0 || static_cast<uint64_t>(length) > kMaxColumnHeapBytes) return false;
    end += static_cast<uint64_t>(length);
    if (end > kMaxColumnHeapBytes) return false;
    ends.push_back(static_cast<uint32_t>(end));
  }
  return true;
}

bool DecodePlain(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch) {
  auto lengths = scratch.TakeIntegers();
  lengths->resize(count);
  return DecodeIntegers(in, count, lengths->data(), scratch) && SumLengths(*lengths, ends) &&
         ReadBlock(in, ends.empty() ? 0 : ends.back(), heap);
}

}  // namespace

void EncodeTexts(absl::Span<const absl::string_view> texts, std::string& out) { EncodePlain(texts, out); }

bool DecodeTexts(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch) {
  uint8_t encoding = 0;
  if (!in.Byte(encoding)) return false;
  switch (static_cast<TextEncoding>(encoding)) {
    case TextEncoding::kPlain:
      return DecodePlain(in, count, ends, heap, scratch);
    default:
      return false;
  }
}

}  // namespace chartly
