#include "drone/decode/byte_mask.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace chartly::drone {

#ifdef __x86_64__
namespace {

// Every machine of this kind has the first; the widest it has is chosen when the program runs.
void MaskBySixteen(const char* text, size_t blocks, const char (&wanted)[3], uint64_t* masks) {
  const __m128i a = _mm_set1_epi8(wanted[0]), b = _mm_set1_epi8(wanted[1]), c = _mm_set1_epi8(wanted[2]);
  for (size_t block = 0; block < blocks; ++block, text += ByteMask::kBlockBytes) {
    uint64_t mask = 0;
    for (int part = 0; part < 4; ++part) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text) + part);
      const __m128i hits =
          _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)), _mm_cmpeq_epi8(bytes, c));
      mask |= uint64_t{static_cast<uint32_t>(_mm_movemask_epi8(hits))} << (16 * part);
    }
    masks[block] = mask;
  }
}

__attribute__((target("avx2"))) void MaskByThirtyTwo(const char* text, size_t blocks, const char (&wanted)[3],
                                                     uint64_t* masks) {
  const __m256i a = _mm256_set1_epi8(wanted[0]), b = _mm256_set1_epi8(wanted[1]), c = _mm256_set1_epi8(wanted[2]);
  for (size_t block = 0; block < blocks; ++block, text += ByteMask::kBlockBytes) {
    uint64_t mask = 0;
    for (int part = 0; part < 2; ++part) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text) + part);
      const __m256i hits = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, a), _mm256_cmpeq_epi8(bytes, b)),
                                           _mm256_cmpeq_epi8(bytes, c));
      mask |= uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(hits))} << (32 * part);
    }
    masks[block] = mask;
  }
}

__attribute__((target("avx512bw"))) void MaskBySixtyFour(const char* text, size_t blocks, const char (&wanted)[3],
                                                         uint64_t* masks) {
  const __m512i a = _mm512_set1_epi8(wanted[0]), b = _mm512_set1_epi8(wanted[1]), c = _mm512_set1_epi8(wanted[2]);
  for (size_t block = 0; block < blocks; ++block, text += ByteMask::kBlockBytes) {
    const __m512i bytes = _mm512_loadu_si512(text);
    masks[block] =
        _mm512_cmpeq_epi8_mask(bytes, a) | _mm512_cmpeq_epi8_mask(bytes, b) | _mm512_cmpeq_epi8_mask(bytes, c);
  }
}

}  // namespace

void ByteMask::Of(const char* text, size_t blocks, uint64_t* masks) const {
  static const auto mask = __builtin_cpu_supports("avx512bw") ? MaskBySixtyFour
                           : __builtin_cpu_supports("avx2")   ? MaskByThirtyTwo
                                                              : MaskBySixteen;
  const char wanted[3] = {a_, b_, c_};
  mask(text, blocks, wanted, masks);
}

#else

void ByteMask::Of(const char* text, size_t blocks, uint64_t* masks) const {
  for (size_t block = 0; block < blocks; ++block, text += kBlockBytes) {
    uint64_t mask = 0;
    for (size_t i = 0; i < kBlockBytes; ++i) {
      const bool hit = text[i] == a_ || text[i] == b_ || text[i] == c_;
      mask |= uint64_t{hit} << i;
    }
    masks[block] = mask;
  }
}

#endif

}  // namespace chartly::drone
