#include "control/aggregator/export_schema.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kMaxFields = 4096;
constexpr int kDecimalDigits = 38;

constexpr uint32_t Bit(ValueType type) { return uint32_t{1} << static_cast<unsigned>(type); }
constexpr uint32_t kExact = Bit(ValueType::kInteger) | Bit(ValueType::kDecimal);
constexpr uint32_t kNumbers = kExact | Bit(ValueType::kFloat);

int Digits(absl::int128 number) {
  int digits = 0;
  for (; number != 0; number /= 10) ++digits;
  return digits;
}

bool HasValue(const ColumnData& column, const RowSet& rows) {
  bool has = false;
  rows.ForEach(0, [&](uint32_t row) {
    has = !column.IsNull(row);
    return !has;
  });
  return has;
}

void AddProvenance(ExportSchema& schema) {
  using Kind = ExportColumn::Kind;
  struct Part {
    Kind kind;
    const char* name;
    ValueType type;
  };
  static constexpr Part kParts[] = {
      {Kind::kSourceUri, "source_uri", ValueType::kText}, {Kind::kPayload, "payload_sha256", ValueType::kText},
      {Kind::kPage, "page", ValueType::kInteger},         {Kind::kRow, "row", ValueType::kInteger},
      {Kind::kRevision, "revision", ValueType::kText},    {Kind::kDrone, "drone_id", ValueType::kText},
      {Kind::kRun, "run_id", ValueType::kText},           {Kind::kObserved, "observed_at", ValueType::kTimestamp},
      {Kind::kAcked, "acked_at", ValueType::kTimestamp},
  };
  for (const Part& part : kParts) {
    schema.push_back({part.kind, absl::StrCat("provenance.", part.name), Role::kDim, "", {part.type, 0}});
  }
}

}  // namespace

absl::Status SchemaBuilder::Add(const RecordBlock& block) {
  for (const ColumnData& column : block.columns()) {
    if (!IsField(column.role)) continue;
    const uint32_t type = Bit(column.type);
    auto known = fields_.find({column.role, column.name});
    const bool exact = (type & kExact) != 0;
    if (!exact && known != fields_.end() && (known->second.types & type) != 0) continue;
    if (!HasValue(column, block.rows())) continue;
    Seen& seen = fields_[{column.role, column.name}];
    seen.types |= type;
    if (exact && !float_decimals_) TakeNumbers(column, block.rows(), seen);
  }
  if (fields_.size() <= kMaxFields) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "EXPORT_TOO_WIDE",
               absl::StrCat("the records have more than ", kMaxFields, " fields; name those to export with fields"));
}

void SchemaBuilder::TakeNumbers(const ColumnData& column, const RowSet& rows, Seen& seen) {
  auto take = [&](absl::int128 unscaled, int scale) {
    seen.scale = std::max(seen.scale, scale);
    seen.whole_digits = std::max(seen.whole_digits, Digits(unscaled) - scale);
  };
  const bool one_scale = column.type == ValueType::kInteger || (column.wide.empty() && column.scales.empty());
  int64_t least = 0;
  int64_t most = 0;
  rows.ForEach(0, [&](uint32_t row) {
    if (column.IsNull(row)) return true;
    if (one_scale) {
      least = std::min(least, column.integers[row]);
      most = std::max(most, column.integers[row]);
    } else {
      Decimal decimal = column.DecimalAt(row);
      take(decimal.unscaled, decimal.scale);
    }
    return true;
  });
  if (!one_scale) return;
  const int scale = column.type == ValueType::kInteger ? 0 : column.scale;
  take(least, scale);
  take(most, scale);
}

FieldType SchemaBuilder::TypeOf(const Seen& seen) const {
  uint32_t types = seen.types;
  if (float_decimals_ && (types & Bit(ValueType::kDecimal)) != 0 && (types & ~kNumbers) == 0) {
    return {ValueType::kFloat, 0};
  }
  if (types == Bit(ValueType::kInteger)) return {ValueType::kInteger, 0};
  if ((types & ~kExact) == 0) {
    bool fits = seen.scale + seen.whole_digits <= kDecimalDigits;
    return {fits ? ValueType::kDecimal : ValueType::kText, static_cast<uint8_t>(fits ? seen.scale : 0)};
  }
  if ((types & ~kNumbers) == 0) return {ValueType::kFloat, 0};
  for (ValueType type : {ValueType::kBoolean, ValueType::kTimestamp, ValueType::kDate}) {
    if (types == Bit(type)) return {type, 0};
  }
  return {ValueType::kText, 0};
}

void SchemaBuilder::AddField(Role role, const std::string& name, ExportSchema& schema) const {
  std::string title = absl::StrCat(RoleName(role), ".", name);
  bool there = std::any_of(schema.begin(), schema.end(), [&](const ExportColumn& c) { return c.title == title; });
  auto seen = fields_.find({role, name});
  if (there || seen == fields_.end()) return;
  schema.push_back({ExportColumn::Kind::kField, std::move(title), role, name, TypeOf(seen->second)});
}

void SchemaBuilder::AddRole(Role role, ExportSchema& schema) const {
  for (const auto& [field, seen] : fields_) {
    if (field.first == role) AddField(role, field.second, schema);
  }
}

ExportSchema SchemaBuilder::Build(const RecordProjection& projection) const {
  using Kind = RecordProjection::Entry::Kind;
  ExportSchema schema;
  auto add_id = [&] { schema.push_back({ExportColumn::Kind::kId, "id", Role::kDim, "", {ValueType::kText, 0}}); };
  if (projection.everything()) {
    for (Role role : {Role::kDim, Role::kMeasure, Role::kAttr}) AddRole(role, schema);
    add_id();
  }
  for (const RecordProjection::Entry& entry : projection.entries()) {
    if (entry.kind == Kind::kField) AddField(entry.role, entry.name, schema);
    if (entry.kind == Kind::kRole) AddRole(entry.role, schema);
    if (entry.kind == Kind::kId) add_id();
    if (entry.kind == Kind::kProvenance) AddProvenance(schema);
  }
  return schema;
}

}  // namespace chartly::aggregator
