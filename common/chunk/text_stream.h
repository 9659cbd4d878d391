// Texts in the fewest bytes that are still quick to read. docs/formats/chunk.md lists the encodings.
#ifndef CHARTLY_COMMON_CHUNK_TEXT_STREAM_H_
#define CHARTLY_COMMON_CHUNK_TEXT_STREAM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

// The order is stored; never change it.
enum class TextEncoding : uint8_t {
  kPlain = 0,    // lengths, then a block of all bytes
  kShared = 1,   // how many bytes each shares with the one before, then the rests as in kPlain
  kPattern = 2,  // what all have in common, and streams of the numbers in between
};

// Appends the texts as they are, one after the other.
void EncodeTexts(absl::Span<const absl::string_view> texts, std::string& out);
// The same in a given encoding; nothing if the texts do not fit it.
std::optional<std::string> EncodeTextsAs(TextEncoding encoding, absl::Span<const absl::string_view> texts);

// Reads `count` texts: appends where each ends in the heap, and the bytes to the heap, at most kMaxColumnHeapBytes.
// Requires: both are empty. False if the bytes are not so many texts.
bool DecodeTexts(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_TEXT_STREAM_H_
