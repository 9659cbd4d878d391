#include "cli/record_view.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace chartly::cli {
namespace {

constexpr const char* kRoles[] = {"dims", "measures", "attrs"};
constexpr size_t kCellWidth = 40;

// The text of a column in a record; empty if it has none.
std::string RecordCell(const Json& record, absl::string_view column) {
  size_t dot = column.find('.');
  if (dot == absl::string_view::npos) return record[column].text();
  return record[column.substr(0, dot)][column.substr(dot + 1)].text();
}

}  // namespace

std::vector<std::string> RecordColumns(const std::vector<Json>& records) {
  std::vector<std::string> columns;
  for (const char* role : kRoles) {
    std::set<std::string> names;
    for (const Json& record : records) {
      for (const auto& [name, value] : record[role].members()) names.insert(name);
    }
    for (const std::string& name : names) columns.push_back(absl::StrCat(role, ".", name));
  }
  return columns;
}

Table RecordTable(const std::vector<Json>& records) {
  std::vector<std::string> columns = RecordColumns(records);
  Table table(columns);
  for (const Json& record : records) {
    std::vector<std::string> row;
    for (const std::string& column : columns) row.push_back(Shorten(RecordCell(record, column), kCellWidth));
    table.Add(std::move(row));
  }
  return table;
}

Json ValueJson(const Value& value) {
  if (value.is_null()) return Json();
  bool scalar = value.is_number() || value.type() == ValueType::kBoolean;
  return scalar ? Json::Scalar(value.ToText()) : Json::Text(value.ToText());
}

Json BatchRecordJson(const Batch& batch, uint32_t row, absl::string_view id) {
  Json parts[] = {Json::Object(), Json::Object(), Json::Object()};
  for (const BatchColumn& column : batch.columns()) {
    if (column.role() == Role::kSource || column.IsNull(row)) continue;
    parts[static_cast<size_t>(column.role()) - 1].Set(column.name(), ValueJson(column.Get(row)));
  }
  Json record = Json::Object();
  record.Set("id", Json::Text(id));
  for (size_t i = 0; i < std::size(kRoles); ++i) record.Set(kRoles[i], std::move(parts[i]));
  return record;
}

}  // namespace chartly::cli
