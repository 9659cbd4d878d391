// Fields with the values that a record must have, bound to the columns of one block after another. Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_KEY_MATCH_H_
#define CHARTLY_CONTROL_AGGREGATOR_KEY_MATCH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/chunk/column_data.h"
#include "control/aggregator/record_block.h"

namespace chartly::aggregator {

class KeyMatch {
 public:
  // From texts like "dims.geo.iso=DE". A value fits that prints so, or is the same number. InvalidArgument
  // (KEY_INVALID).
  static absl::StatusOr<KeyMatch> Parse(const std::vector<std::string>& key);
  // The dims that identify the record in a row. Those that it lacks must be lacking.
  static KeyMatch OfRow(const RecordBlock& block, uint32_t row);

  // The columns must outlive the next calls of Matches.
  void Bind(const ColumnSet& columns);
  bool Matches(uint32_t row);
  // False if no row of a sealed chunk matches, by the ranges of its key dims.
  bool MayBeIn(const PartMeta& part, uint32_t chunk) const;
  // False if no row of a batch matches, by the ranges of its key dims, of which some may not be known.
  bool MayBeIn(const std::vector<DimRange>& ranges) const;
  // The values as text, for a search in rows that were never read.
  std::vector<std::string> texts() const;

 private:
  struct Field {
    Role role = Role::kDim;
    std::string name;
    Value value;         // null: the record must lack the field
    std::string text;    // how it prints
    bool loose = false;  // came as text
    // Of a dim: all that fits, as sortable bytes.
    std::vector<std::string> sortable;
  };
  struct Bound {
    const ColumnData* column;
    std::vector<char> by_entry;  // of texts with codes: whether an entry fits, once that is known
  };
  static void FillSortable(Field& field);
  static bool MayBeIn(const Field& field, const DimRange& range);
  static bool Fits(const Field& field, const Value& value);
  static bool Fits(const Field& field, Bound& bound, uint32_t row);

  std::vector<Field> fields_;
  std::vector<std::vector<Bound>> bound_;  // one list a field
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_KEY_MATCH_H_
