#include "control/reporter/report_file.h"

#include "absl/strings/string_view.h"
#include "common/text/json_string.h"

namespace chartly::reporter {
namespace {

void AppendCell(absl::string_view text, std::string& out) {
  if (text.find_first_of(",\"\r\n") == text.npos) {
    out.append(text.data(), text.size());
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

bool LooksLikeFormula(absl::string_view text) {
  return !text.empty() && absl::string_view("=+-@\t\r").find(text[0]) != absl::string_view::npos;
}

}  // namespace

void AppendCsvHeader(const Table& table, std::string& out) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    AppendCell(table.columns[i].name, out);
  }
  out += "\r\n";
}

void AppendCsvRow(const Table& table, size_t row, bool guard, std::string& out) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    Value value = table.columns[i].Get(row);
    std::string text = value.ToText();
    if (guard && value.type() == ValueType::kText && LooksLikeFormula(text)) text.insert(0, "'");
    AppendCell(text, out);
  }
  out += "\r\n";
}

void AppendJsonRow(const Table& table, size_t row, std::string& out) {
  out += '{';
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    AppendJsonString(out, table.columns[i].name);
    out += ':';
    Value value = table.columns[i].Get(row);
    if (value.is_null()) {
      out += "null";
    } else if (value.is_number() || value.type() == ValueType::kBoolean) {
      out += value.ToText();
    } else {
      AppendJsonString(out, value.ToText());
    }
  }
  out += "}\n";
}

}  // namespace chartly::reporter
