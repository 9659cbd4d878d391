#include "common/parquet/parquet_writer.h"
#include "control/aggregator/record_format.h"

namespace chartly::aggregator {
namespace {

using ColumnKind = ExportColumn::Kind;

// A row group is written once it holds so much, whatever its number of rows.
constexpr size_t kMaxGroupBytes = size_t{16} << 20;

parquet::Type TypeOf(ValueType type) {
  switch (type) {
    case ValueType::kInteger:
      return parquet::Type::kInteger;
    case ValueType::kDecimal:
      return parquet::Type::kDecimal;
    case ValueType::kFloat:
      return parquet::Type::kFloat;
    case ValueType::kBoolean:
      return parquet::Type::kBoolean;
    case ValueType::kTimestamp:
      return parquet::Type::kTimestamp;
    case ValueType::kDate:
      return parquet::Type::kDate;
    case ValueType::kNull:
    case ValueType::kText:
      break;
  }
  return parquet::Type::kText;
}

std::vector<parquet::Column> ColumnsOf(const ExportSchema& schema) {
  std::vector<parquet::Column> columns;
  for (const ExportColumn& column : schema) {
    columns.push_back({column.title, TypeOf(column.type.type), column.type.scale});
  }
  return columns;
}

int64_t Micros(const google::protobuf::Timestamp& time) { return time.seconds() * 1000000 + time.nanos() / 1000; }

// The decimal, or integer, as a whole number of units of 10^-scale. Requires: its own scale is not larger.
absl::int128 Unscaled(const Value& value, uint8_t scale) {
  Decimal decimal = value.type() == ValueType::kInteger ? Decimal{value.integer(), 0} : value.decimal();
  for (int digit = decimal.scale; digit < scale; ++digit) decimal.unscaled *= 10;
  return decimal.unscaled;
}

class ParquetFormat final : public RecordFormat {
 public:
  explicit ParquetFormat(ExportSchema schema)
      : schema_(std::move(schema)), binding_(schema_), writer_(ColumnsOf(schema_)) {}
  const char* content_type() const override { return "application/vnd.apache.parquet"; }
  const char* extension() const override { return "parquet"; }
  bool needs_ids() const override { return binding_.has_id(); }
  void Begin(std::string&) override {}
  void End(std::string& out) override { writer_.Finish(out); }
  void Bind(const RecordBlock& block) override { binding_.Bind(block.columns()); }

  void Add(const RecordBlock& block, uint32_t row, const Hash128& id, std::string& out) override {
    if (binding_.has_provenance()) FillProvenance(block, row, provenance_);
    for (size_t i = 0; i < schema_.size(); ++i) {
      if (schema_[i].kind == ColumnKind::kField) {
        SetField(i, row);
      } else {
        SetOrigin(i, id);
      }
    }
    writer_.EndRow();
    if (writer_.pending_rows() >= parquet::kRowsPerGroup || writer_.pending_bytes() >= kMaxGroupBytes) {
      writer_.WriteGroup(out);
    }
  }

 private:
  void SetField(size_t index, uint32_t row) {
    const ColumnData* column = binding_.Find(index, row);
    if (column == nullptr) return;
    const FieldType& type = schema_[index].type;
    switch (type.type) {
      case ValueType::kInteger:
        return writer_.SetInteger(index, column->Get(row).integer());
      case ValueType::kDecimal:
        return writer_.SetDecimal(index, Unscaled(column->Get(row), type.scale));
      case ValueType::kFloat:
        return writer_.SetFloat(index, column->AsDouble(row));
      case ValueType::kBoolean:
        return writer_.SetBoolean(index, column->Get(row).boolean());
      case ValueType::kTimestamp:
        return writer_.SetTimestamp(index, column->Get(row).timestamp().micros);
      case ValueType::kDate:
        return writer_.SetDate(index, column->Get(row).date().days);
      case ValueType::kNull:
      case ValueType::kText:
        break;
    }
    if (column->type == ValueType::kText) return writer_.SetText(index, column->Text(row));
    writer_.SetText(index, column->Get(row).ToText());
  }

  void SetOrigin(size_t index, const Hash128& id) {
    switch (schema_[index].kind) {
      case ColumnKind::kField:
        return;
      case ColumnKind::kId:
        return writer_.SetText(index, id.ToHex());
      case ColumnKind::kSourceUri:
        return writer_.SetText(index, provenance_.source_uri());
      case ColumnKind::kPayload:
        return writer_.SetText(index, provenance_.payload_sha256());
      case ColumnKind::kPage:
        return writer_.SetInteger(index, provenance_.page());
      case ColumnKind::kRow:
        return writer_.SetInteger(index, provenance_.row());
      case ColumnKind::kRevision:
        return writer_.SetText(index, provenance_.revision());
      case ColumnKind::kDrone:
        return writer_.SetText(index, provenance_.drone_id());
      case ColumnKind::kRun:
        return writer_.SetText(index, provenance_.run_id());
      case ColumnKind::kObserved:
        return writer_.SetTimestamp(index, Micros(provenance_.observed_at()));
      case ColumnKind::kAcked:
        return writer_.SetTimestamp(index, Micros(provenance_.acked_at()));
    }
  }

  const ExportSchema schema_;
  SchemaBinding binding_;
  parquet::ParquetWriter writer_;
  v1::Provenance provenance_;
};

}  // namespace

std::unique_ptr<RecordFormat> MakeParquetFormat(ExportSchema schema) {
  return std::make_unique<ParquetFormat>(std::move(schema));
}

}  // namespace chartly::aggregator
