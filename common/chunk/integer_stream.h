// A run of integers in the fewest bytes that are still quick to read: the building block of all columns. A stream says
// by its first byte how it is encoded, and may hold further streams. docs/formats/chunk.md lists the encodings.
#ifndef CHARTLY_COMMON_CHUNK_INTEGER_STREAM_H_
#define CHARTLY_COMMON_CHUNK_INTEGER_STREAM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

// The order is stored; never change it.
enum class IntegerEncoding : uint8_t {
  kConstant = 0,      // one value
  kPacked = 1,        // differences to the smallest, all of one width
  kTokens = 2,        // differences to the smallest, entropy coded
  kSignedTokens = 3,  // the values, zigzag, entropy coded
  kBytes = 4,         // differences to the smallest, lowest bytes first, as a block
  kDelta = 5,         // the first value, then a stream of the differences of neighbours
  kRuns = 6,          // a stream of values and one of how often each repeats
  kDictionary = 7,    // a stream of the distinct values and one of their numbers
  kScaled = 8,        // the smallest, a factor, and a stream of multiples
};

// Streams lie in streams at most so deep.
inline constexpr int kMaxStreamDepth = 6;

// Appends the stream. Empty for no values.
void EncodeIntegers(absl::Span<const int64_t> values, std::string& out);
// The same in a given encoding, inner streams as they suit; nothing if the values do not fit it.
std::optional<std::string> EncodeIntegersAs(IntegerEncoding encoding, absl::Span<const int64_t> values);

// Reads `count` values. False if the bytes are not a stream of so many.
bool DecodeIntegers(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_INTEGER_STREAM_H_
