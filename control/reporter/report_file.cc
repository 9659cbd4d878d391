#include "control/reporter/report_file.h"

#include "common/text/csv_text.h"
#include "common/text/json_string.h"

namespace chartly::reporter {
void AppendCsvHeader(const Table& table, bool guard, std::string& out) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    AppendCsvText(out, table.columns[i].name, guard);
  }
  out += "\r\n";
}

void AppendCsvRow(const Table& table, size_t row, bool guard, std::string& out) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    Value value = table.columns[i].Get(row);
    if (value.is_null()) continue;
    if (value.type() == ValueType::kText) {
      AppendCsvText(out, value.text(), guard);
    } else {
      out += value.ToText();  // has no comma, quote or line break
    }
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
