// Finds the few bytes that matter in a text, 64 bytes at a time. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_BYTE_MASK_H_
#define CHARTLY_DRONE_DECODE_BYTE_MASK_H_

#include <cstddef>
#include <cstdint>

namespace chartly::drone {

class ByteMask {
 public:
  static constexpr size_t kBlockBytes = 64;

  ByteMask(char a, char b, char c) : a_(a), b_(b), c_(c) {}

  // Bit i of masks[block]: whether byte i of that block of the text is one of the three. Requires: all bytes of the
  // blocks can be read.
  void Of(const char* text, size_t blocks, uint64_t* masks) const;

 private:
  char a_;
  char b_;
  char c_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_BYTE_MASK_H_
