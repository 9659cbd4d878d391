// Texts that are made alike: the same letters and signs at the same places, and numbers in between, as in identifiers,
// addresses, times and UUIDs. The numbers become integer streams, which are far smaller than their digits.
#ifndef CHARTLY_COMMON_CHUNK_TEXT_PATTERN_H_
#define CHARTLY_COMMON_CHUNK_TEXT_PATTERN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk_scratch.h"

namespace chartly {

class TextPattern {
 public:
  // The pattern that all texts follow; nothing if there is none.
  static std::optional<TextPattern> Find(absl::Span<const absl::string_view> texts);
  // Appends the pattern and the streams. Requires: Find gave it for these texts.
  void Encode(absl::Span<const absl::string_view> texts, std::string& out) const;
  // As DecodeTexts.
  static bool Decode(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap,
                     ChunkScratch& scratch);

 private:
  // The order is stored; never change it.
  enum class Kind : uint8_t {
    kLiteral = 0,   // the same bytes in all texts
    kDigits = 1,    // a decimal number of `width` digits, with zeros in front
    kNumber = 2,    // a decimal number without zeros in front, up to 18 digits
    kLowerHex = 3,  // a number of `width` digits 0-9 and a-f
    kUpperHex = 4,  // the same with A-F
    kByte = 5,      // any byte
  };
  struct Field {
    Kind kind = Kind::kLiteral;
    size_t width = 0;
    std::string literal;
  };

  static std::optional<TextPattern> FindFixed(absl::Span<const absl::string_view> texts);
  static std::optional<TextPattern> FindVarying(absl::Span<const absl::string_view> texts);
  static bool CollectNumbers(absl::string_view text, const TextPattern& pattern,
                             std::vector<std::vector<int64_t>>& numbers);
  static bool ReadFields(ByteReader& in, std::vector<Field>& fields);
  static char* Write(const Field& field, int64_t number, char* at);
  std::vector<Field> fields_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_TEXT_PATTERN_H_
