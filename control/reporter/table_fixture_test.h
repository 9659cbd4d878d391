// What the tests of this folder build tables with.
#ifndef CHARTLY_CONTROL_REPORTER_TABLE_FIXTURE_TEST_H_
#define CHARTLY_CONTROL_REPORTER_TABLE_FIXTURE_TEST_H_

#include <string>
#include <utility>
#include <vector>

#include "control/reporter/table.h"

namespace chartly::reporter {

inline Value T(const char* text) { return Value::Text(text); }
inline Value I(int64_t integer) { return Value::Integer(integer); }
inline Value F(double number) { return Value::Float(number); }
inline Value Cents(int64_t cents) { return Value::Of(Decimal{cents, 2}); }

struct TestColumn {
  std::string name;
  bool is_key;
  std::vector<Value> values;
};

inline Table MakeTable(const std::vector<TestColumn>& columns) {
  Table table;
  table.rows = columns.empty() ? 0 : columns[0].values.size();
  for (const TestColumn& column : columns) {
    if (column.is_key) {
      table.columns.push_back(Column::KeyOf(column.name, column.values));
      continue;
    }
    ValueColumn values;
    for (const Value& value : column.values) values.Add(value);
    table.columns.push_back(Column::Measure(column.name, std::move(values)));
  }
  return table;
}

// Every row as text, "-" for a missing value.
inline std::vector<std::vector<std::string>> Texts(const Table& table) {
  std::vector<std::vector<std::string>> rows(table.rows);
  for (size_t row = 0; row < table.rows; ++row) {
    for (const Column& column : table.columns) {
      rows[row].push_back(column.IsNull(row) ? "-" : column.Get(row).ToText());
    }
  }
  return rows;
}

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_TABLE_FIXTURE_TEST_H_
