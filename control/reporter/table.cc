#include "control/reporter/table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::reporter {

Value Column::Get(size_t row) const {
  if (!is_key) return values.Get(row);
  return codes[row] == kNullCode ? Value() : (*dictionary)[codes[row]];
}

Column Column::Key(std::string name, DictionaryPtr dictionary, BigVector<uint32_t> codes) {
  Column column;
  column.name = std::move(name);
  column.is_key = true;
  column.dictionary = std::move(dictionary);
  column.codes = std::move(codes);
  return column;
}

Column Column::Measure(std::string name, ValueColumn values) {
  Column column;
  column.name = std::move(name);
  column.values = std::move(values);
  return column;
}

Column Column::KeyOf(std::string name, const std::vector<Value>& values) {
  DictionaryBuilder builder;
  BigVector<uint32_t> codes;
  codes.reserve(values.size());
  for (const Value& value : values) codes.push_back(builder.Intern(value));
  DictionaryPtr dictionary = builder.Finish(codes);
  return Key(std::move(name), std::move(dictionary), std::move(codes));
}

Column Column::Gather(absl::Span<const uint32_t> rows) const {
  Column out;
  out.name = name;
  out.is_key = is_key;
  out.dictionary = dictionary;
  if (is_key) {
    out.codes.resize(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) out.codes[i] = rows[i] == kNoRow ? kNullCode : codes[rows[i]];
  } else {
    out.values = values.Gather(rows);
  }
  return out;
}

Column Column::Gather(const RowRuns& rows) const {
  Column out;
  out.name = name;
  out.is_key = is_key;
  out.dictionary = dictionary;
  if (!is_key) {
    out.values = values.Gather(rows);
    return out;
  }
  out.codes.resize(rows.size());
  rows.ForEach([&](size_t place, uint32_t first, size_t count) {
    uint32_t* const to = out.codes.data() + place;
    if (first == kNoRow) {
      std::fill(to, to + count, kNullCode);
    } else {
      std::copy(codes.data() + first, codes.data() + first + count, to);
    }
  });
  return out;
}

const Column* Table::Find(absl::string_view name) const {
  std::string bare = BareName(name);
  for (const Column& column : columns) {
    if (column.name == name || column.name == bare) return &column;
  }
  return nullptr;
}

absl::StatusOr<const Column*> Table::Require(absl::string_view name) const {
  if (const Column* column = Find(name)) return column;
  std::string known = absl::StrJoin(columns, ", ", [](std::string* out, const Column& column) { *out += column.name; });
  return Error(absl::StatusCode::kInvalidArgument, "REPORT_UNKNOWN_FIELD",
               absl::StrCat("there is no column \"", name, "\" here; there are ", known.empty() ? "none" : known),
               {{"field", name}});
}

void Table::Put(Column column) {
  for (Column& present : columns) {
    if (present.name != column.name) continue;
    present = std::move(column);
    return;
  }
  columns.push_back(std::move(column));
}

Table Table::Gather(absl::Span<const uint32_t> rows_wanted) const {
  Table out;
  out.rows = rows_wanted.size();
  for (const Column& column : columns) out.columns.push_back(column.Gather(rows_wanted));
  return out;
}

int64_t Table::bytes() const {
  int64_t bytes = 0;
  for (const Column& column : columns) bytes += column.bytes();
  return bytes;
}

void TableStack::Add(const Table& table) {
  if (stacked_.columns.empty()) {
    dictionaries_.resize(table.columns.size());
    for (const Column& column : table.columns) {
      stacked_.columns.push_back({});
      stacked_.columns.back().name = column.name;
      stacked_.columns.back().is_key = column.is_key;
    }
  }
  stacked_.rows += table.rows;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const Column& column = table.columns[c];
    if (!column.is_key) {
      stacked_.columns[c].values.AddAll(column.values);
      continue;
    }
    // Each value is looked up when a row has it, and then once.
    std::vector<uint32_t> codes(column.dictionary->size(), kNullCode);
    for (uint32_t code : column.codes) {
      if (code != kNullCode && codes[code] == kNullCode)
        codes[code] = dictionaries_[c].Intern((*column.dictionary)[code]);
      stacked_.columns[c].codes.push_back(code == kNullCode ? kNullCode : codes[code]);
    }
  }
}

Table TableStack::Finish() {
  for (size_t c = 0; c < stacked_.columns.size(); ++c) {
    Column& column = stacked_.columns[c];
    if (column.is_key) column.dictionary = dictionaries_[c].Finish(column.codes);
  }
  dictionaries_.clear();
  return std::exchange(stacked_, Table());
}

int64_t TableStack::bytes() const {
  int64_t bytes = stacked_.bytes();
  for (const DictionaryBuilder& dictionary : dictionaries_) bytes += dictionary.bytes();
  return bytes;
}

std::string BareName(absl::string_view name) {
  name = absl::StripAsciiWhitespace(name);
  for (absl::string_view prefix : {"dims.", "measures.", "attrs."}) {
    if (absl::ConsumePrefix(&name, prefix)) break;
  }
  return std::string(name);
}

std::string FreeName(const Table& table, const std::string& wanted) {
  auto taken = [&table](const std::string& name) {
    for (const Column& column : table.columns) {
      if (column.name == name) return true;
    }
    return false;
  };
  std::string name = wanted;
  for (int suffix = 2; taken(name); ++suffix) name = absl::StrCat(wanted, "_", suffix);
  return name;
}

}  // namespace chartly::reporter
