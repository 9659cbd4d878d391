#include "control/reporter/field_reader.h"

#include <algorithm>

namespace chartly::reporter {
namespace {

// Says the code of each row of one column. Texts of a dictionary are interned when a row has them.
class Coder {
 public:
  Coder(const ColumnData& column, DictionaryBuilder& builder)
      : column_(column), builder_(builder), entries_(EntriesOf(column), kUnknown) {}

  // Requires: not null.
  uint32_t CodeOf(uint32_t row) {
    switch (column_.type) {
      case ValueType::kText:
        return entries_.empty() ? builder_.InternText(column_.Text(row)) : CodeOfEntry(column_.codes[row]);
      case ValueType::kInteger:
        return builder_.InternInteger(column_.integers[row]);
      case ValueType::kTimestamp:
        return builder_.InternTimestamp(column_.TimestampAt(row));
      case ValueType::kDate:
        return builder_.InternDate(Date{static_cast<int32_t>(column_.integers[row])});
      default:
        return builder_.Intern(column_.Get(row));
    }
  }

  // The codes of a run of rows. Requires: none is null.
  void CodesOfRun(uint32_t first, uint32_t count, uint32_t* codes) {
    if (column_.type == ValueType::kInteger) {
      return builder_.InternIntegers(column_.integers.data() + first, count, codes);
    }
    if (column_.type == ValueType::kTimestamp && column_.offsets_minutes.empty()) {
      return builder_.InternTimestamps(column_.integers.data() + first, column_.offset_minutes, count, codes);
    }
    if (entries_.empty()) {
      for (uint32_t i = 0; i < count; ++i) codes[i] = CodeOf(first + i);
      return;
    }
    const uint32_t* const entries = column_.codes.data() + first;
    for (uint32_t i = 0; i < count;) {
      const uint32_t entry = entries[i], code = CodeOfEntry(entry);
      // Mostly the rows of one series follow each other.
      for (; i < count && entries[i] == entry; ++i) codes[i] = code;
    }
  }

 private:
  static constexpr uint32_t kUnknown = kNullCode - 1;
  uint32_t CodeOfEntry(uint32_t entry) {
    uint32_t& code = entries_[entry];
    if (code == kUnknown) code = builder_.InternText(column_.Entry(entry));
    return code;
  }
  const ColumnData& column_;
  DictionaryBuilder& builder_;
  std::vector<uint32_t> entries_;  // codes of the dictionary
};

}  // namespace

FieldReader::FieldReader(const RecordRows& rows, Role role, absl::string_view name) : sources_(rows.Find(role, name)) {}

bool FieldReader::IsNull(uint32_t row) const {
  return std::all_of(sources_.begin(), sources_.end(), [row](const ColumnData* source) { return source->IsNull(row); });
}

bool FieldReader::IsWhole() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const ColumnData* source) { return source->nulls.empty(); });
}

Value FieldReader::Get(uint32_t row) const {
  for (const ColumnData* source : sources_) {
    if (!source->IsNull(row)) return source->Get(row);
  }
  return Value();
}

void FieldReader::AppendCodes(const PickedRows& picked, DictionaryBuilder& builder, BigVector<uint32_t>& codes) const {
  size_t at = codes.size();
  MakeRoom(codes, picked.count);
  codes.resize(at + picked.count);
  std::vector<Coder> coders;
  for (const ColumnData* source : sources_) coders.emplace_back(*source, builder);
  if (sources_.size() == 1 && sources_[0]->nulls.empty()) {
    if (picked.is_run) return coders[0].CodesOfRun(picked.first, picked.count, codes.data() + at);
    picked.ForEach([&](uint32_t row) { codes[at++] = coders[0].CodeOf(row); });
    return;
  }
  std::fill(codes.begin() + static_cast<int64_t>(at), codes.end(), kNullCode);
  picked.ForEach([&](uint32_t row) {
    for (size_t s = 0; s < sources_.size(); ++s) {
      if (sources_[s]->IsNull(row)) continue;
      codes[at] = coders[s].CodeOf(row);
      break;
    }
    ++at;
  });
}

int64_t FieldReader::AppendValues(const PickedRows& picked, ValueColumn& values) const {
  const bool plain = sources_.size() == 1 && sources_[0]->nulls.empty() && picked.is_run;
  if (plain && values.AddColumn(*sources_[0], picked.first, picked.count)) return 0;
  int64_t bytes = 0;
  picked.ForEach([&](uint32_t row) { bytes += values.Add(Get(row)); });
  return bytes;
}

const ColumnData* FieldReader::OnlyDictionary() const {
  return sources_.size() == 1 && EntriesOf(*sources_[0]) > 0 ? sources_[0] : nullptr;
}

}  // namespace chartly::reporter
