// Reads one input of a report: its current rows that pass the filter, as a table in canonical order.
//
// Not thread-safe; plan and reservation must outlive it. Use: Take every piece, then Finish.
#ifndef CHARTLY_CONTROL_REPORTER_INPUT_READER_H_
#define CHARTLY_CONTROL_REPORTER_INPUT_READER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "control/reporter/field_reader.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/record_rows.h"
#include "control/reporter/report_plan.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

class InputReader {
 public:
  InputReader(const InputPlan& plan, Reservation& reservation);

  // Adds the rows of one piece. DataLoss (BATCH_CORRUPT, CHUNK_CORRUPT) if it is damaged, ResourceExhausted
  // (REPORT_TOO_LARGE) if the reservation has no more.
  absl::Status Take(const RecordPiece& piece);
  // InvalidArgument (REPORT_UNKNOWN_FIELD) if the plan names a field that no batch had; the message lists those it had.
  // OK if there were no records at all.
  absl::Status CheckNames() const;
  // The rows: keys, then measures, both in the order of the plan. Call once.
  Table Finish();

  bool saw_records() const { return saw_records_; }
  int64_t records() const { return records_; }
  int64_t null_measures() const { return null_measures_; }

 private:
  // A field under way: what it is shows when a batch has it.
  struct Field {
    bool known = false;
    Role role = Role::kDim;
    std::string bare;
    DictionaryBuilder dictionary;  // of a key
    BigVector<uint32_t> codes;
    ValueColumn values;  // of a measure
    bool is_key() const { return role != Role::kMeasure; }
  };
  void Learn(const RecordRows& records);
  // The role and bare name of a name; one without a role is looked for among dims, measures, attrs in turn.
  bool Resolve(absl::string_view name, bool measure_first, Role& role, std::string& bare) const;
  void SetRole(Field& field, Role role);
  int64_t Append(const RecordRows& records, const PickedRows& rows, Field& field);
  // The rows of the piece that are current, pass the filters and have a measure.
  PickedRows Wanted(const RecordRows& records);
  absl::Status Unknown(absl::string_view what, absl::string_view name) const;

  const InputPlan& plan_;
  Reservation& reservation_;
  ColumnPool pool_;
  std::set<std::string> names_[5];  // by Role
  std::vector<Field> fields_;       // as those of the plan
  bool saw_records_ = false;
  int64_t rows_ = 0;
  int64_t row_bytes_ = 0;  // that the reservation holds for them
  int64_t records_ = 0;
  int64_t null_measures_ = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_INPUT_READER_H_
