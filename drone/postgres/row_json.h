// Rows of PostgreSQL as lines of NDJSON. Numbers keep every digit; times are RFC 3339; json, arrays and all other types
// are text. Not thread-safe.
#ifndef CHARTLY_DRONE_POSTGRES_ROW_JSON_H_
#define CHARTLY_DRONE_POSTGRES_ROW_JSON_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/postgres/connection.h"

namespace chartly::drone {

// How the text of a cell becomes JSON.
enum class CellForm {
  kNumber,     // as it is; NaN and Infinity are text
  kBoolean,    // t and f
  kText,       // also every type that is not known here
  kTimestamp,  // 2026-01-31 09:00:00 as 2026-01-31T09:00:00, +00 as Z
  kArray,      // {1,2} as the text [1,2]
};

// The form of a type with this OID, and for arrays that of their elements.
struct ColumnForm {
  CellForm form = CellForm::kText;
  CellForm element = CellForm::kText;
};

class RowJson {
 public:
  // FailedPrecondition (SOURCE_QUERY) if a column holds bytes (bytea), or two have one name.
  static absl::StatusOr<RowJson> Create(const std::vector<PostgresColumn>& columns);
  // Appends the current row of `rows`, whose columns are those of Create, and a line end.
  void AppendLine(const PostgresConnection& rows, std::string& out) const;

 private:
  struct Column {
    std::string begin;  // {"name": or ,"name":
    ColumnForm form;
  };
  std::vector<Column> columns_;
};

// Appends one cell. Session settings as PostgresSource makes them: UTC, ISO dates.
void AppendCell(ColumnForm form, absl::string_view text, std::string& out);

// Appends `text` in quotes. Bytes that are no UTF-8 stay as they are, for the decoder to refuse the row.
void AppendJsonText(absl::string_view text, std::string& out);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_ROW_JSON_H_
