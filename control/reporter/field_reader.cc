#include "control/reporter/field_reader.h"

namespace chartly::reporter {

FieldReader::FieldReader(const RecordRows& rows, Role role, absl::string_view name) {
  for (const FieldColumn& column : rows.Find(role, name)) {
    sources_.push_back({column, std::vector<uint32_t>(column.entries(), kUnknown)});
  }
}

bool FieldReader::IsNull(uint32_t row) const {
  for (const Source& source : sources_) {
    if (!source.column.IsNull(row)) return false;
  }
  return true;
}

Value FieldReader::Get(uint32_t row) const {
  for (const Source& source : sources_) {
    if (!source.column.IsNull(row)) return source.column.Get(row);
  }
  return Value();
}

void FieldReader::AppendCode(uint32_t row, DictionaryBuilder& builder, std::vector<uint32_t>& codes) {
  for (Source& source : sources_) {
    if (source.column.IsNull(row)) continue;
    if (source.entries.empty()) {
      codes.push_back(source.column.type() == ValueType::kText ? builder.InternText(source.column.Text(row))
                                                               : builder.Intern(source.column.Get(row)));
      return;
    }
    uint32_t index = source.column.EntryOf(row);
    uint32_t& code = source.entries[index];
    if (code == kUnknown) code = builder.Intern(source.column.EntryValue(index));
    codes.push_back(code);
    return;
  }
  codes.push_back(kNullCode);
}

int64_t FieldReader::AppendValue(uint32_t row, ValueColumn& values) const {
  for (const Source& source : sources_) {
    if (source.column.IsNull(row)) continue;
    if (source.column.type() != ValueType::kFloat) return values.Add(source.column.Get(row));
    values.AddFloat(source.column.AsDouble(row));
    return 0;
  }
  return values.Add(Value());
}

const FieldColumn* FieldReader::OnlyDictionary() const {
  return sources_.size() == 1 && !sources_[0].entries.empty() ? &sources_[0].column : nullptr;
}

}  // namespace chartly::reporter
