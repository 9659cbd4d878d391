#include "drone/pipeline/run_fields.h"

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"
#include "common/value/value.h"

namespace chartly::drone {
namespace {

absl::string_view RolePrefix(storage::v1::Role role) {
  switch (role) {
    case storage::v1::ROLE_DIM:
      return "dims.";
    case storage::v1::ROLE_MEASURE:
      return "measures.";
    case storage::v1::ROLE_ATTR:
      return "attrs.";
    default:
      return "";  // where a row came from is no field
  }
}

}  // namespace

absl::Status RunFields::Add(absl::string_view batch) {
  ASSIGN_OR_RETURN(BatchHeader header, Batch::ParseHeader(batch));
  for (const storage::v1::Column& column : header.columns()) {
    const absl::string_view prefix = RolePrefix(column.role());
    if (prefix.empty()) continue;
    std::pair<std::string, std::string> key(absl::StrCat(prefix, column.name()),
                                            ValueTypeName(static_cast<ValueType>(column.type())));
    auto it = values_.find(key);
    if (it == values_.end() && values_.size() >= kMaxRunFields) continue;
    values_[std::move(key)] += int64_t{header.rows()} - column.nulls();
  }
  return absl::OkStatus();
}

void RunFields::AddTo(v1::RunEnd& end) const {
  for (const auto& [key, values] : values_) {
    v1::RunField& field = *end.add_fields();
    field.set_name(key.first);
    field.set_type(key.second);
    field.set_values(values);
  }
}

}  // namespace chartly::drone
