// Finds the few bytes that matter in a text, 64 bytes at a time. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_BYTE_MASK_H_
#define CHARTLY_DRONE_DECODE_BYTE_MASK_H_

#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace chartly::drone {

class ByteMask {
 public:
  static constexpr size_t kBlockBytes = 64;

  ByteMask(char a, char b, char c) : a_(a), b_(b), c_(c) {}

  // Bit i: whether byte i of the block is one of the three. Requires: 64 bytes can be read at `block`.
  uint64_t Of(const char* block) const;

 private:
  char a_;
  char b_;
  char c_;
};

#ifdef __SSE2__

inline uint64_t ByteMask::Of(const char* block) const {
  const __m128i a = _mm_set1_epi8(a_), b = _mm_set1_epi8(b_), c = _mm_set1_epi8(c_);
  uint64_t mask = 0;
  for (int part = 0; part < 4; ++part) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block) + part);
    __m128i hits =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)), _mm_cmpeq_epi8(bytes, c));
    mask |= static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(hits))) << (16 * part);
  }
  return mask;
}

#else

inline uint64_t ByteMask::Of(const char* block) const {
  uint64_t mask = 0;
  for (unsigned i = 0; i < kBlockBytes; ++i) {
    bool hit = block[i] == a_ || block[i] == b_ || block[i] == c_;
    mask |= static_cast<uint64_t>(hit) << i;
  }
  return mask;
}

#endif

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_BYTE_MASK_H_
