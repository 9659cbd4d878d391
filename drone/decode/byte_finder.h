// Finds the few bytes that matter in a text, 64 bytes at a time. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_BYTE_FINDER_H_
#define CHARTLY_DRONE_DECODE_BYTE_FINDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace chartly::drone {

class ByteFinder {
 public:
  static constexpr size_t kBlockBytes = 64;
  using Wanted = std::array<char, 3>;
  // As Find, of the bytes that are wanted.
  using Way = size_t (*)(const Wanted& wanted, const char* text, size_t blocks, uint32_t base, uint32_t* positions);

  ByteFinder(char a, char b, char c) : wanted_{a, b, c} {}

  // Writes where the three stand in the blocks, `base` added, one after the other, and returns how many there are.
  // Requires: all bytes of the blocks can be read; there is room for a position a byte and kBlockBytes more, of which
  // those behind the last one found say nothing.
  size_t Find(const char* text, size_t blocks, uint32_t base, uint32_t* positions) const;

  // Of the ways to find them those that this machine can go, the best one first.
  static std::vector<Way> WaysForTest();

 private:
  Wanted wanted_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_BYTE_FINDER_H_
