// Decimals of 64 bits with their scales: where sources leave out zeros at the end, as 12.5 beside 12.25, the scale
// follows from the value and costs nothing. docs/formats/chunk.md lists the encodings.
#ifndef CHARTLY_COMMON_CHUNK_DECIMAL_STREAM_H_
#define CHARTLY_COMMON_CHUNK_DECIMAL_STREAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

inline constexpr uint8_t kMaxDecimalScale = 38;

// Appends decimals of one scale each.
void EncodeDecimals(absl::Span<const int64_t> unscaled, absl::Span<const uint8_t> scales, std::string& out);
// Reads `count` decimals. False if the bytes are not so many.
bool DecodeDecimals(ByteReader& in, size_t count, int64_t* unscaled, uint8_t* scales, ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_DECIMAL_STREAM_H_
