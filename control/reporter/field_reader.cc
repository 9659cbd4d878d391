#include "control/reporter/field_reader.h"

namespace chartly::reporter {

void AppendKeyPart(const Value& value, std::string& out) {
  std::string canonical;
  value.AppendCanonical(canonical);
  uint32_t size = static_cast<uint32_t>(canonical.size());
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(size >> shift));
  out += canonical;
}

FieldReader::FieldReader(const Batch& batch, Role role, absl::string_view name) {
  for (const BatchColumn* column : batch.Find(role, name)) {
    sources_.push_back({column, std::vector<std::string>(column->dictionary_size())});
  }
}

Value FieldReader::Get(uint32_t row) const {
  for (const Source& source : sources_) {
    if (!source.column->IsNull(row)) return source.column->Get(row);
  }
  return Value();
}

bool FieldReader::AppendKeyPart(uint32_t row, std::string& out) {
  for (Source& source : sources_) {
    if (source.column->IsNull(row)) continue;
    if (source.entries.empty()) {
      reporter::AppendKeyPart(source.column->Get(row), out);
      return true;
    }
    uint32_t index = source.column->DictionaryIndex(row);
    std::string& entry = source.entries[index];
    if (entry.empty()) reporter::AppendKeyPart(source.column->DictionaryValue(index), entry);
    out += entry;
    return true;
  }
  return false;
}

}  // namespace chartly::reporter
