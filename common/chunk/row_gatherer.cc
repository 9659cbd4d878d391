#include "common/chunk/row_gatherer.h"

#include <utility>

#include "absl/container/node_hash_map.h"
#include "common/chunk/text_entries.h"

namespace chartly {

// One column under way. Absent values are null.
class RowGatherer::Column {
 public:
  explicit Column(const Name& name) {
    data_.role = std::get<0>(name);
    data_.name = std::get<1>(name);
    data_.type = std::get<2>(name);
  }

  // Appends the rows in order; `from` has the column of each source, or nullptr.
  void Append(const std::vector<const ColumnData*>& from, absl::Span<const RowRef> order) {
    const uint32_t first = data_.rows;
    data_.rows += static_cast<uint32_t>(order.size());
    AppendNulls(from, order, first);
    switch (data_.type) {
      case ValueType::kText:
        return AppendTexts(from, order);
      case ValueType::kFloat:
        for (const RowRef& at : order) data_.floats.push_back(Has(from, at) ? from[at.source]->floats[at.row] : 0);
        return;
      case ValueType::kDecimal:
        return AppendDecimals(from, order);
      case ValueType::kTimestamp:
        for (const RowRef& at : order) {
          const Timestamp value = Has(from, at) ? from[at.source]->TimestampAt(at.row) : Timestamp();
          data_.integers.push_back(value.micros);
          data_.offsets_minutes.push_back(value.offset_minutes);
        }
        return;
      default:
        for (const RowRef& at : order) data_.integers.push_back(Has(from, at) ? from[at.source]->integers[at.row] : 0);
    }
  }

  size_t bytes() const { return data_.MemoryBytes(); }
  uint32_t rows() const { return data_.rows; }

  ColumnData Take() {
    if (nulls_ == 0) data_.nulls.clear();
    if (data_.type == ValueType::kDecimal) {
      if (!wide_) {
        for (const absl::int128& unscaled : data_.wide) data_.integers.push_back(static_cast<int64_t>(unscaled));
        data_.wide.clear();
      }
      UniteScales(data_);
    }
    UniteOffsets(data_);
    if (!data_.codes.empty()) SortEntries(data_);
    return std::move(data_);
  }
  bool AllNull() const { return nulls_ == data_.rows; }

 private:
  static bool Has(const std::vector<const ColumnData*>& from, const RowRef& at) { return from[at.source] != nullptr; }

  void AppendNulls(const std::vector<const ColumnData*>& from, absl::Span<const RowRef> order, uint32_t first) {
    data_.nulls.resize((size_t{data_.rows} + 63) / 64, 0);
    uint32_t row = first;
    for (const RowRef& at : order) {
      const bool is_null = !Has(from, at) || from[at.source]->IsNull(at.row);
      data_.nulls[row / 64] |= uint64_t{is_null} << (row % 64);
      nulls_ += is_null ? 1 : 0;
      ++row;
    }
  }

  void AppendDecimals(const std::vector<const ColumnData*>& from, absl::Span<const RowRef> order) {
    for (const RowRef& at : order) {
      const Decimal value = Has(from, at) ? from[at.source]->DecimalAt(at.row) : Decimal();
      wide_ = wide_ || value.unscaled > INT64_MAX || value.unscaled < INT64_MIN;
      data_.wide.push_back(value.unscaled);
      data_.scales.push_back(value.scale);
    }
  }

  void AppendTexts(const std::vector<const ColumnData*>& from, absl::Span<const RowRef> order) {
    for (const ColumnData* source : from) has_plain_ = has_plain_ || (source != nullptr && source->codes.empty());
    if (has_plain_) {
      if (!data_.codes.empty()) ExpandCodes();
      for (const RowRef& at : order) {
        if (Has(from, at) && !from[at.source]->IsNull(at.row)) {
          absl::string_view text = from[at.source]->Text(at.row);
          data_.heap.append(text.data(), text.size());
        }
        data_.text_ends.push_back(static_cast<uint32_t>(data_.heap.size()));
      }
      return;
    }
    std::vector<std::vector<uint32_t>> new_codes(from.size());
    for (const RowRef& at : order) data_.codes.push_back(Has(from, at) ? CodeOf(*from[at.source], at, new_codes) : 0);
  }

  uint32_t CodeOf(const ColumnData& source, const RowRef& at, std::vector<std::vector<uint32_t>>& new_codes) {
    constexpr uint32_t kUnknown = UINT32_MAX;
    if (source.IsNull(at.row)) return 0;
    std::vector<uint32_t>& known = new_codes[at.source];
    if (known.empty()) known.resize(source.text_ends.size(), kUnknown);
    uint32_t& code = known[source.codes[at.row]];
    if (code != kUnknown) return code;
    absl::string_view text = source.Text(at.row);
    auto [place, is_new] = entries_.try_emplace(text, static_cast<uint32_t>(data_.text_ends.size()));
    if (is_new) {
      data_.heap.append(text.data(), text.size());
      data_.text_ends.push_back(static_cast<uint32_t>(data_.heap.size()));
    }
    code = place->second;
    return code;
  }

  // Only the rows before those under way have codes.
  void ExpandCodes() {
    const uint32_t rows = data_.rows;
    data_.rows = static_cast<uint32_t>(data_.codes.size());
    ExpandEntries(data_);
    data_.rows = rows;
    entries_.clear();
  }

  ColumnData data_;
  uint32_t nulls_ = 0;
  bool wide_ = false;
  bool has_plain_ = false;
  absl::node_hash_map<std::string, uint32_t> entries_;  // of the texts with codes
};

RowGatherer::RowGatherer() = default;
RowGatherer::~RowGatherer() = default;

void RowGatherer::Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> order) {
  for (const ColumnSet* source : sources) {
    for (const ColumnData& data : *source) {
      std::unique_ptr<Column>& column = columns_[Name(data.role, data.name, data.type)];
      if (column != nullptr) continue;
      column = std::make_unique<Column>(Name(data.role, data.name, data.type));
      // It is null in all rows so far.
      column->Append({nullptr}, std::vector<RowRef>(rows_));
    }
  }
  rows_ += static_cast<uint32_t>(order.size());
  std::vector<const ColumnData*> from;
  for (auto& [name, column] : columns_) {
    from.clear();
    for (const ColumnSet* source : sources) {
      from.push_back(FindColumn(*source, std::get<0>(name), std::get<1>(name), std::get<2>(name)));
    }
    column->Append(from, order);
  }
}

size_t RowGatherer::bytes() const {
  size_t bytes = 0;
  for (const auto& [name, column] : columns_) bytes += column->bytes();
  return bytes;
}

ColumnSet RowGatherer::Take() {
  ColumnSet set;
  for (auto& [name, column] : columns_) {
    if (!column->AllNull()) set.push_back(column->Take());
  }
  columns_.clear();
  rows_ = 0;
  return set;
}

}  // namespace chartly
