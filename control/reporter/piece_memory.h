// What a piece of a report leaves for the next one on its thread: memory of decoded columns, and dictionaries. The
// pieces have other series, and mostly the same times: those are then not looked up, put in order and merged anew.
//
// Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_PIECE_MEMORY_H_
#define CHARTLY_CONTROL_REPORTER_PIECE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "control/reporter/dictionary.h"
#include "control/reporter/dictionary_merges.h"
#include "control/reporter/record_rows.h"

namespace chartly::reporter {

// The dictionary of a field of an input, which stays as long as its values come again.
class FieldDictionary {
 public:
  DictionaryBuilder& builder() { return builder_; }
  // The values of all rows since the last call, and perhaps more; `codes` become places among them.
  DictionaryPtr Finish(BigVector<uint32_t>& codes);

 private:
  DictionaryBuilder builder_;
  size_t before_ = 0;  // values when the piece began
  bool comes_again_ = true;
};

class PieceMemory {
 public:
  ColumnPool& columns() { return columns_; }
  DictionaryMerges& merges() { return merges_; }
  FieldDictionary& Dictionary(size_t input, size_t field) { return dictionaries_[{input, field}]; }

 private:
  ColumnPool columns_;
  DictionaryMerges merges_;
  std::map<std::pair<size_t, size_t>, FieldDictionary> dictionaries_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_PIECE_MEMORY_H_
