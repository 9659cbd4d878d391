// An entropy coder: symbols of a small alphabet in as many bits as they carry information, also less than one a symbol
// (range asymmetric numeral systems with fixed frequencies, several states side by side so that a core decodes them in
// parallel). docs/formats/chunk.md gives the bytes.
#ifndef CHARTLY_COMMON_CHUNK_RANS_H_
#define CHARTLY_COMMON_CHUNK_RANS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chunk/byte_io.h"

namespace chartly {

inline constexpr uint32_t kMaxSymbols = 8192;

// Appends frequencies, states and symbols. Requires: not empty, every symbol < kMaxSymbols.
void EncodeRans(absl::Span<const uint16_t> symbols, std::string& out);

// Decodes what EncodeRans wrote, in pieces.
class RansDecoder {
 public:
  // Reads all of `count` symbols' bytes. False if they cannot be such.
  bool Open(ByteReader& in, size_t count);
  // One more than the largest symbol there may be.
  uint32_t alphabet() const { return alphabet_; }
  // The next symbols. Requires: a multiple of kLanes, or the rest. Past what was written symbols are any of the
  // alphabet.
  void Read(size_t count, uint16_t* symbols);
  // Whether all was read as it was written.
  bool Finished() const;

  static constexpr size_t kLanes = 4;

 private:
  struct alignas(8) Slot {
    uint16_t frequency;
    uint16_t bias;  // of the slot within its symbol
    uint16_t symbol;
  };
  bool ReadFrequencies(ByteReader& in);
  uint16_t Step(uint32_t& state);

  std::vector<Slot> slots_;
  uint32_t table_bits_ = 0;
  uint32_t alphabet_ = 0;
  size_t lanes_ = 1;
  uint32_t states_[kLanes] = {};
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool passed_end_ = false;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_RANS_H_
