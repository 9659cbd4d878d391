// Numbers as tokens and extra bits: small numbers are tokens of their own, larger ones share a token with those of the
// same leading bits, and their lower bits follow as they are. The tokens are entropy coded, so that a number costs
// about what its order of magnitude carries. docs/formats/chunk.md gives the bytes.
#ifndef CHARTLY_COMMON_CHUNK_TOKEN_CODE_H_
#define CHARTLY_COMMON_CHUNK_TOKEN_CODE_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "common/chunk/byte_io.h"

namespace chartly {

// Numbers below 2^direct_bits are their own token; of larger ones the token holds `leading_bits` after the first.
struct TokenShape {
  uint8_t direct_bits = 0;
  uint8_t leading_bits = 0;
};

struct TokenEstimate {
  uint64_t bits = 0;  // about what all numbers take, with the table
  TokenShape shape;
};

// The shape that suits `count` numbers, of which these are some or all, by integer arithmetic alone, so that it is the
// same on every machine. Requires: not empty.
TokenEstimate EstimateTokens(absl::Span<const uint64_t> numbers, size_t count);

// Requires: not empty.
void EncodeTokens(absl::Span<const uint64_t> numbers, TokenShape shape, std::string& out);
// Reads `count` numbers. False if the bytes are not so many.
bool DecodeTokens(ByteReader& in, size_t count, uint64_t* numbers);

// 2^16 times the binary logarithm, a little too small at most. Requires: number > 0.
uint64_t FixedLog2(uint64_t number);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_TOKEN_CODE_H_
