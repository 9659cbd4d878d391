#include "drone/decode/byte_finder.h"

#include <bit>

#include "absl/base/attributes.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace chartly::drone {
namespace {

using Wanted = ByteFinder::Wanted;
constexpr size_t kBlockBytes = ByteFinder::kBlockBytes;

// Writes where the bits of a block stand. Always eight at once: all that a processor has to guess is how many eights.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline uint32_t* Write(uint64_t bits, uint32_t base, uint32_t* to) {
  constexpr uint32_t kAtOnce = 8;
  const int count = std::popcount(bits);
  for (uint32_t* next = to; bits != 0; next += kAtOnce) {
    for (uint32_t i = 0; i < kAtOnce; ++i) {
      next[i] = base + static_cast<uint32_t>(std::countr_zero(bits));
      bits &= bits - 1;
    }
  }
  return to + count;
}

size_t FindOneByOne(const Wanted& wanted, const char* text, size_t blocks, uint32_t base, uint32_t* positions) {
  uint32_t* to = positions;
  for (uint32_t i = 0; i < blocks * kBlockBytes; ++i) {
    *to = base + i;
    to += text[i] == wanted[0] || text[i] == wanted[1] || text[i] == wanted[2] ? 1 : 0;
  }
  return static_cast<size_t>(to - positions);
}

#ifdef __x86_64__
// Every machine of this kind can go this way; the widest that it can go is chosen when the program runs.
size_t FindBySixteen(const Wanted& wanted, const char* text, size_t blocks, uint32_t base, uint32_t* positions) {
  const __m128i a = _mm_set1_epi8(wanted[0]), b = _mm_set1_epi8(wanted[1]), c = _mm_set1_epi8(wanted[2]);
  uint32_t* to = positions;
  for (; blocks > 0; --blocks, text += kBlockBytes, base += kBlockBytes) {
    uint64_t bits = 0;
    for (int part = 0; part < 4; ++part) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text) + part);
      const __m128i hits =
          _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)), _mm_cmpeq_epi8(bytes, c));
      bits |= uint64_t{static_cast<uint32_t>(_mm_movemask_epi8(hits))} << (16 * part);
    }
    to = Write(bits, base, to);
  }
  return static_cast<size_t>(to - positions);
}

__attribute__((target("avx2,bmi,popcnt"))) size_t FindByThirtyTwo(const Wanted& wanted, const char* text, size_t blocks,
                                                                  uint32_t base, uint32_t* positions) {
  const __m256i a = _mm256_set1_epi8(wanted[0]), b = _mm256_set1_epi8(wanted[1]), c = _mm256_set1_epi8(wanted[2]);
  uint32_t* to = positions;
  for (; blocks > 0; --blocks, text += kBlockBytes, base += kBlockBytes) {
    uint64_t bits = 0;
    for (int part = 0; part < 2; ++part) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text) + part);
      const __m256i hits = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, a), _mm256_cmpeq_epi8(bytes, b)),
                                           _mm256_cmpeq_epi8(bytes, c));
      bits |= uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(hits))} << (32 * part);
    }
    to = Write(bits, base, to);
  }
  return static_cast<size_t>(to - positions);
}

// The numbers of the bytes of a block are packed by the bits, which gives all positions without a step for each.
__attribute__((target("avx512bw,avx512vbmi2,popcnt"))) size_t FindBySixtyFour(const Wanted& wanted, const char* text,
                                                                              size_t blocks, uint32_t base,
                                                                              uint32_t* positions) {
  alignas(kBlockBytes) uint8_t numbers[kBlockBytes];
  for (uint8_t i = 0; i < kBlockBytes; ++i) numbers[i] = i;
  const __m512i places = _mm512_load_si512(numbers);
  const __m512i a = _mm512_set1_epi8(wanted[0]), b = _mm512_set1_epi8(wanted[1]), c = _mm512_set1_epi8(wanted[2]);
  uint32_t* to = positions;
  for (; blocks > 0; --blocks, text += kBlockBytes, base += kBlockBytes) {
    const __m512i bytes = _mm512_loadu_si512(text);
    const uint64_t bits =
        _mm512_cmpeq_epi8_mask(bytes, a) | _mm512_cmpeq_epi8_mask(bytes, b) | _mm512_cmpeq_epi8_mask(bytes, c);
    const int count = std::popcount(bits);
    const __m512i from = _mm512_set1_epi32(static_cast<int>(base));
    __m512i packed = _mm512_maskz_compress_epi8(bits, places);
    for (int written = 0; written < count; written += 16) {
      // The forms with a mask of all lanes: gcc 12 warns of its own header's others (gcc bug 105593).
      const __m128i first = _mm512_maskz_extracti32x4_epi32(0xF, packed, 0);
      const __m512i sixteen = _mm512_maskz_cvtepu8_epi32(0xFFFF, first);
      _mm512_storeu_si512(to + written, _mm512_add_epi32(sixteen, from));
      packed = _mm512_maskz_alignr_epi64(0xFF, packed, packed, 2);
    }
    to += count;
  }
  return static_cast<size_t>(to - positions);
}
#endif

}  // namespace

std::vector<ByteFinder::Way> ByteFinder::WaysForTest() {
  std::vector<Way> ways;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2")) ways.push_back(FindBySixtyFour);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) ways.push_back(FindByThirtyTwo);
  ways.push_back(FindBySixteen);
#endif
  ways.push_back(FindOneByOne);
  return ways;
}

size_t ByteFinder::Find(const char* text, size_t blocks, uint32_t base, uint32_t* positions) const {
  static const Way best = WaysForTest().front();
  return best(wanted_, text, blocks, base, positions);
}

}  // namespace chartly::drone
