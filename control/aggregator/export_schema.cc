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

// Digits that a signed number of so many bytes may have.
int DigitsOf(uint32_t width) {
  switch (width) {
    case 1:
      return 3;
    case 2:
      return 5;
    case 4:
      return 10;
    case 8:
      return 19;
    default:
      return kDecimalDigits + 1;
  }
}

int Digits(absl::int128 number) {
  int digits = 0;
  for (; number != 0; number /= 10) ++digits;
  return digits;
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

absl::Status SchemaBuilder::Add(absl::string_view batch) {
  ASSIGN_OR_RETURN(BatchHeader header, Batch::ParseHeader(batch));
  std::vector<std::pair<Role, std::string>> to_measure;
  for (const storage::v1::Column& column : header.columns()) {
    auto role = static_cast<Role>(column.role());
    if (role == Role::kSource) continue;
    Seen& seen = fields_[{role, column.name()}];
    auto type = static_cast<ValueType>(column.type());
    seen.types |= Bit(type);
    if ((Bit(type) & kExact) == 0) continue;
    if (column.mixed_scales() || column.width() > 8) {
      to_measure.emplace_back(role, column.name());
      continue;
    }
    int scale = static_cast<int>(column.scale());
    seen.scale = std::max(seen.scale, scale);
    seen.whole_digits = std::max(seen.whole_digits, DigitsOf(column.width()) - scale);
  }
  if (fields_.size() > kMaxFields) {
    return Error(absl::StatusCode::kResourceExhausted, "EXPORT_TOO_WIDE",
                 absl::StrCat("the records have more than ", kMaxFields, " fields; name those to export with fields"));
  }
  if (to_measure.empty() || float_decimals_) return absl::OkStatus();
  ASSIGN_OR_RETURN(Batch parsed, Batch::Parse(batch));
  for (const auto& [role, name] : to_measure) TakeDecimals(parsed, role, name, fields_[{role, name}]);
  return absl::OkStatus();
}

void SchemaBuilder::TakeDecimals(const Batch& batch, Role role, const std::string& name, Seen& seen) const {
  for (const BatchColumn* column : batch.Find(role, name)) {
    if (column->type() != ValueType::kDecimal) continue;
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      if (column->IsNull(row)) continue;
      Decimal decimal = column->Get(row).decimal();
      seen.scale = std::max<int>(seen.scale, decimal.scale);
      seen.whole_digits = std::max(seen.whole_digits, Digits(decimal.unscaled) - decimal.scale);
    }
  }
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
