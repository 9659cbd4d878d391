// Texts in the fewest bytes that are still quick to read. docs/formats/chunk.md lists the encodings.
#ifndef CHARTLY_COMMON_CHUNK_TEXT_STREAM_H_
#define CHARTLY_COMMON_CHUNK_TEXT_STREAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

// Appends the texts as they are, one after the other.
void EncodeTexts(absl::Span<const absl::string_view> texts, std::string& out);
// Reads `count` texts: appends where each ends in the heap, and the bytes to the heap, at most kMaxColumnHeapBytes.
// False if the bytes are not so many texts.
bool DecodeTexts(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap, ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_TEXT_STREAM_H_
