// A value between its source row and its record. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_CELL_H_
#define CHARTLY_COMMON_NORMALIZE_CELL_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/value/value.h"

namespace chartly {

// Text stays a view of the row or of a Scratch for as long as it can, so that a row costs no allocation.
struct Cell {
  enum class Kind { kNull, kText, kNumber, kTyped };
  Kind kind = Kind::kNull;
  absl::string_view text;  // kText, and kNumber: the digits as the source wrote them
  Value value;             // kTyped: neither null nor text

  bool is_null() const { return kind == Kind::kNull; }
  void SetNull() { kind = Kind::kNull; }
  void SetText(absl::string_view view) {
    kind = Kind::kText;
    text = view;
  }
  void SetTyped(Value typed) {
    kind = Kind::kTyped;
    value = std::move(typed);
  }
};

// Two buffers in turn: a function reads its input from one while it writes to the other.
class Scratch {
 public:
  // The buffer that the last call did not give, emptied.
  std::string& Next() {
    turn_ = 1 - turn_;
    buffers_[turn_].clear();
    return buffers_[turn_];
  }

 private:
  std::string buffers_[2];
  int turn_ = 0;
};

// The text of a cell that is not null; written to the scratch if the cell is typed.
absl::string_view CellText(const Cell& cell, Scratch& scratch);

// The integer that a decimal of scale 0 is, if it fits 64 bits; else the decimal.
Value NumberOf(Decimal decimal);

// Makes the cell a value of `type`; null stays null, and empty text becomes null unless `type` is text. Exact: an
// integer may be written as 5.0 or 5e2 and not as 5.5, and past 64 bits becomes a decimal of scale 0. InvalidArgument
// or OutOfRange with the text otherwise.
absl::Status CoerceCell(ValueType type, Cell& cell, Scratch& scratch);

// Makes the cell an integer if its text is one, else a decimal.
absl::Status CoerceToNumber(Cell& cell, Scratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_CELL_H_
