#include "control/aggregator/record_format.h"

namespace chartly::aggregator {

SchemaBinding::SchemaBinding(const ExportSchema& schema) : schema_(schema), columns_(schema.size()) {
  for (const ExportColumn& column : schema) {
    bool is_field = column.kind == ExportColumn::Kind::kField;
    bool is_id = column.kind == ExportColumn::Kind::kId;
    has_id_ = has_id_ || is_id;
    has_provenance_ = has_provenance_ || (!is_field && !is_id);
  }
}

void SchemaBinding::Bind(const ColumnSet& columns) {
  for (size_t i = 0; i < schema_.size(); ++i) {
    if (schema_[i].kind != ExportColumn::Kind::kField) continue;
    columns_[i] = FindField(columns, schema_[i].role, schema_[i].name);
  }
}

const ColumnData* SchemaBinding::Find(size_t index, uint32_t row) const {
  for (const ColumnData* column : columns_[index]) {
    if (!column->IsNull(row)) return column;
  }
  return nullptr;
}

}  // namespace chartly::aggregator
