// Fields with the values that a record must have, bound to one batch after another. Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_KEY_MATCH_H_
#define CHARTLY_CONTROL_AGGREGATOR_KEY_MATCH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/batch/batch.h"

namespace chartly::aggregator {

class KeyMatch {
 public:
  // From texts like "dims.geo.iso=DE". A value fits that prints so, or is the same number. InvalidArgument
  // (KEY_INVALID).
  static absl::StatusOr<KeyMatch> Parse(const std::vector<std::string>& key);
  // The dims that identify the record in a row. Those that it lacks must be lacking.
  static KeyMatch OfRow(const Batch& batch, uint32_t row);

  // The batch must outlive the next calls of Matches.
  void Bind(const Batch& batch);
  bool Matches(uint32_t row);
  // The values as text, for a search in rows that were never read.
  std::vector<std::string> texts() const;

 private:
  struct Field {
    Role role = Role::kDim;
    std::string name;
    Value value;         // null: the record must lack the field
    std::string text;    // how it prints
    bool loose = false;  // came as text
  };
  struct Bound {
    const BatchColumn* column;
    std::vector<char> by_entry;  // of a dictionary: whether an entry fits, once that is known
  };
  static bool Fits(const Field& field, const Value& value);
  static bool Fits(const Field& field, Bound& bound, uint32_t row);

  std::vector<Field> fields_;
  std::vector<std::vector<Bound>> bound_;  // one list a field
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_KEY_MATCH_H_
