// Joins two tables on equal keys, or on the nearest time. Keys that occur several times multiply, as in SQL; a missing
// key matches nothing. Both sides are walked in order of key once, without a hash table, and rows come out in order of
// key: the same records give the same answer.
//
// Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_JOIN_H_
#define CHARTLY_CONTROL_REPORTER_JOIN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/normalize/value_pipeline.h"
#include "control/reporter/dictionary_merges.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/row_runs.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

enum class JoinKind { kInner, kLeft, kOuter };

// One pair of key columns.
struct JoinKey {
  std::string left;   // column of the left table
  std::string right;  // column of the right table
  // What makes the values of both sides alike: trim, lower, pad_left 5 0.
  std::shared_ptr<const ValuePipeline> rules;
  // Set: the right value that is nearest is taken if it is at most so far away; of two that are equally near, the
  // earlier one. Microseconds for dates and times, else a plain number. At most one key has it.
  struct Nearest {
    double number = 0;
    int64_t micros = 0;
    bool is_time = false;
  };
  std::optional<Nearest> nearest;
};

// The kinds of values of a key on both sides, a bit each by ValueType; all numbers are one kind. Values of different
// kinds are never equal.
struct KeyKinds {
  uint32_t left = 0;
  uint32_t right = 0;
};

struct JoinResult {
  Table table;        // key columns under their left names, then the other columns of the left, then those of the right
  RowRuns left_rows;  // the row of the left table of each row
  RowRuns right_rows;                   // likewise
  std::vector<uint32_t> right_columns;  // where each column of the right table went
  int64_t repeated_left = 0;            // joined keys that occur more than once on the left
  int64_t repeated_right = 0;           // likewise
  std::vector<KeyKinds> kinds;          // one a key
  std::vector<std::string> notes;       // values that rules refused
};

// Takes columns that are no keys out of the tables where all their rows come, in order.
// ResourceExhausted (REPORT_TOO_LARGE) if more than `rows_max` rows would come out or the reservation has no more;
// InvalidArgument (REPORT_UNKNOWN_FIELD) for a key that is no column, (REPORT_FIELD_INVALID) for one that a rule
// refuses or that has no distance. `merges`, if given, has dictionaries that were merged before. Requires: keys is not
// empty.
absl::StatusOr<JoinResult> JoinTables(Table& left, Table& right, const std::vector<JoinKey>& keys, JoinKind kind,
                                      int64_t rows_max, Reservation& reservation, DictionaryMerges* merges = nullptr);

// Why nothing can match, for people, by the kinds of the values; empty if that is not so.
std::string NoteOfKinds(const JoinKey& key, const KeyKinds& kinds);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_JOIN_H_
