// A run of integers in the fewest bytes that are still quick to read: the building block of all columns. A stream says
// by its first byte how it is encoded, and may hold further streams. docs/formats/chunk.md lists the encodings.
#ifndef CHARTLY_COMMON_CHUNK_INTEGER_STREAM_H_
#define CHARTLY_COMMON_CHUNK_INTEGER_STREAM_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

// The order is stored; never change it.
enum class IntegerEncoding : uint8_t {
  kConstant = 0,  // one value
  kPacked = 1,    // difference to the smallest, all of one width
  kDelta = 2,     // first value, then a stream of differences
};

// Streams lie in streams at most so deep.
inline constexpr int kMaxStreamDepth = 6;

// Appends the stream. Empty for no values.
void EncodeIntegers(absl::Span<const int64_t> values, std::string& out);
// Reads `count` values. False if the bytes are not a stream of so many.
bool DecodeIntegers(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth = 0);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_INTEGER_STREAM_H_
