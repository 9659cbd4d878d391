// Reads the inputs of a report and joins them: all their records, or those of one span of a key that all inputs have.
//
// Pure functions but for the source; what they take of memory stays with the reservation until that ends.
#ifndef CHARTLY_CONTROL_REPORTER_INPUT_JOIN_H_
#define CHARTLY_CONTROL_REPORTER_INPUT_JOIN_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "chartly/v1/reporter.pb.h"
#include "control/reporter/batch_source.h"
#include "control/reporter/field_names.h"
#include "control/reporter/join.h"
#include "control/reporter/key_examples.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/piece_memory.h"
#include "control/reporter/report_plan.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

// What became of the records of one input.
struct SideTally {
  FieldNames names;
  int64_t records = 0;
  int64_t null_measures = 0;
  int64_t unmatched = 0;
  int64_t repeated = 0;      // keys that occur more than once; of the first input, when the second joined it
  bool saw_missing = false;  // records that lack the key of a span
  KeyExamples examples{0};
  std::vector<KeyKinds> kinds;        // of the keys that join it to the inputs before
  std::vector<std::string> warnings;  // of its steps and of its join
};

// The same of all inputs. Tallies of spans add up to that of all records.
struct JoinTally {
  std::vector<SideTally> sides;
  void Add(const JoinTally& other);
  // InvalidArgument (REPORT_UNKNOWN_FIELD) if the plan names what no record has.
  absl::Status CheckNames(const ReportPlan& plan) const;
  // Fills sides and warnings.
  void Tell(const ReportPlan& plan, v1::RunReportResponse& answer) const;
};

// The records that a piece of a report is about.
struct PieceOfInputs {
  KeySpan span;
  std::vector<size_t> fields;     // by input, the field of its plan that holds the key
  std::vector<std::string> dims;  // by input, the dim that this is
};

struct ReadOptions {
  int64_t rows_max = 0;                  // that a join may give
  const PieceOfInputs* piece = nullptr;  // null: all records
  // From the pieces before, if inputs are read one after the other, as they are within a part of InParallel; else null.
  PieceMemory* memory = nullptr;
  // Is called once after so many records, which may have any values. If it says so, reading ends with Cancelled.
  int64_t many = std::numeric_limits<int64_t>::max();
  std::function<absl::StatusOr<bool>()> stops_at_many;
};

// The joined rows of all inputs; of one, its rows after its steps. Keys have their one spelling (key_spelling.h).
// What was read so far goes into `tally`, also if it fails. The errors of the source with the input in front,
// InvalidArgument (REPORT_UNKNOWN_FIELD) unless it is a piece, and those of JoinTables and of steps.
absl::StatusOr<Table> ReadAndJoin(const ReportPlan& plan, BatchSource& source, const ReadOptions& options,
                                  Reservation& reservation, JoinTally& tally);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_INPUT_JOIN_H_
