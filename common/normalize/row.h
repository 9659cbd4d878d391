// A row as a decoder gives it: fields by slot, without copies. The normalizer says which source paths it needs
// (Normalizer::paths()); a decoder binds each to its own representation once, and answers by slot for every row.
#ifndef CHARTLY_COMMON_NORMALIZE_ROW_H_
#define CHARTLY_COMMON_NORMALIZE_ROW_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// One field of a row. `text` is the unescaped text, or the digits of a number as the source wrote them; it is valid
// until the decoder moves to the next row.
struct Field {
  enum class Kind { kMissing, kNull, kText, kNumber, kBoolean, kComposite };
  Kind kind = Kind::kMissing;
  absl::string_view text;
};

class Row {
 public:
  virtual ~Row() = default;
  // The field of a slot, an index into Normalizer::paths().
  virtual chartly::Field Get(size_t slot) const = 0;
  // Field i at *fields()[i], if the decoder has them so; else null. Reading them costs no call.
  virtual const chartly::Field* const* fields() const { return nullptr; }
  // The row as the source gave it, for quarantine.
  virtual std::string Raw() const = 0;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_ROW_H_
