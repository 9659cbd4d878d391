// The columns of a table of records, whose fields may have values of several types.
//
// ExportSchema is plain data; SchemaBuilder is not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_EXPORT_SCHEMA_H_
#define CHARTLY_CONTROL_AGGREGATOR_EXPORT_SCHEMA_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "control/aggregator/record_block.h"
#include "control/aggregator/record_projection.h"

namespace chartly::aggregator {

// The type that holds all values of a field: integers and decimals together are decimals with the most digits after
// the point that any of them has, numbers with a float among them are floats, and anything else mixed is text. So are
// decimals that 38 digits do not hold together.
struct FieldType {
  ValueType type = ValueType::kText;
  uint8_t scale = 0;  // of a decimal
};

struct ExportColumn {
  enum class Kind { kField, kId, kSourceUri, kPayload, kPage, kRow, kRevision, kDrone, kRun, kObserved, kAcked };
  Kind kind = Kind::kField;
  std::string title;       // dims.geo.iso, id, provenance.page
  Role role = Role::kDim;  // of a field
  std::string name;        // of a field
  FieldType type;          // of any column; a time is kTimestamp
};

using ExportSchema = std::vector<ExportColumn>;

class SchemaBuilder {
 public:
  // `float_decimals`: decimals become floats.
  explicit SchemaBuilder(bool float_decimals) : float_decimals_(float_decimals) {}

  // Takes in the values of the rows of a block. ResourceExhausted (EXPORT_TOO_WIDE) past 4096 fields.
  absl::Status Add(const RecordBlock& block);
  bool empty() const { return fields_.empty(); }
  bool Has(Role role, const std::string& name) const { return fields_.count({role, name}) > 0; }
  // The columns that a projection asks for, in its order; all fields and the id if it asks for nothing.
  ExportSchema Build(const RecordProjection& projection) const;

 private:
  struct Seen {
    uint32_t types = 0;  // a bit a ValueType
    int scale = 0;       // the largest
    int whole_digits = 0;
  };
  static void TakeNumbers(const ColumnData& column, const RowSet& rows, Seen& seen);
  FieldType TypeOf(const Seen& seen) const;
  void AddRole(Role role, ExportSchema& schema) const;
  void AddField(Role role, const std::string& name, ExportSchema& schema) const;

  const bool float_decimals_;
  std::map<std::pair<Role, std::string>, Seen> fields_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_EXPORT_SCHEMA_H_
