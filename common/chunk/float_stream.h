// Floats in the fewest bytes that are still quick to read, every bit kept. docs/formats/chunk.md lists the encodings.
#ifndef CHARTLY_COMMON_CHUNK_FLOAT_STREAM_H_
#define CHARTLY_COMMON_CHUNK_FLOAT_STREAM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

// The order is stored; never change it.
enum class FloatEncoding : uint8_t {
  kBits = 0,     // a stream of the bits, turned so that they are in order of the floats
  kDecimal = 1,  // a stream of integers to be divided by a power of ten, and the floats that are no such number
  kSplit = 2,    // a stream of the upper bits, and the lower ones packed
};

// Appends the stream.
void EncodeFloats(absl::Span<const double> values, std::string& out);
// The same in a given encoding; nothing if the values do not fit it.
std::optional<std::string> EncodeFloatsAs(FloatEncoding encoding, absl::Span<const double> values);

// Reads `count` values. False if the bytes are not a stream of so many.
bool DecodeFloats(ByteReader& in, size_t count, double* out, ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_FLOAT_STREAM_H_
