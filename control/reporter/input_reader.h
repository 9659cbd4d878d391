// Reads one input of a report: its current rows that pass the filter, or those of a span of a key, as a table in
// canonical order.
//
// Not thread-safe; plan, span, reservation and memory must outlive it. Use: Take every piece, then Finish.
#ifndef CHARTLY_CONTROL_REPORTER_INPUT_READER_H_
#define CHARTLY_CONTROL_REPORTER_INPUT_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/reporter/field_names.h"
#include "control/reporter/field_reader.h"
#include "control/reporter/key_span.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/piece_memory.h"
#include "control/reporter/record_rows.h"
#include "control/reporter/report_plan.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

// The rows that are wanted: those whose value of this field of the plan is in this span.
struct InputSpan {
  const KeySpan* span = nullptr;
  size_t field = 0;
};

class InputReader {
 public:
  // Reads all rows.
  InputReader(const InputPlan& plan, Reservation& reservation, ColumnPool& pool);
  // Reads those of a piece. `input` is the place of the plan among those that share the memory.
  InputReader(const InputPlan& plan, Reservation& reservation, PieceMemory& memory, size_t input, InputSpan span);

  // Adds the rows of one piece. DataLoss (BATCH_CORRUPT, CHUNK_CORRUPT) if it is damaged, ResourceExhausted
  // (REPORT_TOO_LARGE) if the reservation has no more.
  absl::Status Take(const RecordPiece& piece);
  // The rows: keys, then measures, both in the order of the plan. Call once.
  Table Finish();

  // Those of all records of the pieces, wanted or not.
  const FieldNames& names() const { return names_; }
  // How many those are.
  int64_t seen() const { return seen_; }
  // Whether a record lacked the key of the span.
  bool saw_missing() const { return saw_missing_; }
  int64_t records() const { return records_; }
  int64_t null_measures() const { return null_measures_; }

 private:
  // A field under way: what it is shows when a batch has it.
  struct Field {
    bool known = false;
    Role role = Role::kDim;
    std::string bare;
    // Of a key.
    DictionaryBuilder own_dictionary;
    FieldDictionary* kept_dictionary = nullptr;  // used instead, if there is one
    BigVector<uint32_t> codes;
    ValueColumn values;  // of a measure
    bool is_key() const { return role != Role::kMeasure; }
    DictionaryBuilder& dictionary() { return kept_dictionary != nullptr ? kept_dictionary->builder() : own_dictionary; }
  };
  void SetRole(Field& field, Role role);
  int64_t Append(const RecordRows& records, const PickedRows& rows, Field& field);
  // The rows of the piece that are current, pass the filters and have a measure.
  PickedRows Wanted(const RecordRows& records);

  const InputPlan& plan_;
  Reservation& reservation_;
  ColumnPool& pool_;
  const InputSpan span_;
  FieldNames names_;
  std::vector<Field> fields_;  // as those of the plan
  int64_t seen_ = 0;
  bool saw_missing_ = false;
  int64_t rows_ = 0;
  int64_t row_bytes_ = 0;  // that the reservation holds for them
  int64_t records_ = 0;
  int64_t null_measures_ = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_INPUT_READER_H_
