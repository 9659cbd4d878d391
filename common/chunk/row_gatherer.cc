#include "common/chunk/row_gatherer.h"

#include <algorithm>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "common/chunk/text_entries.h"

namespace chartly {
namespace {

constexpr size_t kRowsAStep = 1024;

bool SameNames(const ColumnSet& a, const ColumnSet& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ColumnData& x, const ColumnData& y) {
    return x.role == y.role && x.type == y.type && x.name == y.name;
  });
}

}  // namespace

// One column under way. Absent values are null.
class RowGatherer::Column {
 public:
  explicit Column(const Name& name) {
    data_.role = std::get<0>(name);
    data_.name = std::get<1>(name);
    data_.type = std::get<2>(name);
  }

  // What is appended next comes from so many sources, which lack the column as long as Bind does not say where it is.
  void BindNone(size_t sources) {
    from_.assign(sources, nullptr);
    new_codes_.assign(data_.type == ValueType::kText ? sources : 0, {});
    bound_ = 0;
    has_nulls_ = false;
  }
  void Bind(size_t source, const ColumnData& data) {
    from_[source] = &data;
    ++bound_;
    has_nulls_ = has_nulls_ || !data.nulls.empty();
    has_plain_ = has_plain_ || (data.type == ValueType::kText && data.codes.empty());
    if (!data.wide.empty()) Widen();
  }

  // Appends the rows in order.
  void Append(absl::Span<const RowRef> order) {
    AppendNulls(order);
    switch (data_.type) {
      case ValueType::kText:
        return AppendTexts(order);
      case ValueType::kFloat:
        return AppendEach(order, data_.floats, [](const ColumnData& from, uint32_t row) { return from.floats[row]; });
      case ValueType::kDecimal:
        return AppendDecimals(order);
      case ValueType::kTimestamp:
        AppendIntegers(order);
        return AppendEach(order, data_.offsets_minutes,
                          [](const ColumnData& from, uint32_t row) { return from.TimestampAt(row).offset_minutes; });
      default:
        return AppendIntegers(order);
    }
  }

  size_t bytes() const { return data_.MemoryBytes(); }

  ColumnData Take() {
    if (nulls_ == 0) data_.nulls.clear();
    if (data_.type == ValueType::kDecimal) Finish();
    UniteOffsets(data_);
    if (!data_.codes.empty()) SortEntries(data_);
    return std::move(data_);
  }
  bool AllNull() const { return nulls_ == data_.rows; }

 private:
  bool Has(const RowRef& at) const { return from_[at.source] != nullptr; }

  // Appends `value(source, row)` for each row of the order, zero where the source lacks the column.
  template <typename T, typename Get>
  void AppendEach(absl::Span<const RowRef> order, std::vector<T>& values, Get value) {
    const size_t begin = values.size();
    values.resize(begin + order.size());
    T* to = values.data() + begin;
    if (bound_ == from_.size()) {
      for (const RowRef& at : order) *to++ = static_cast<T>(value(*from_[at.source], at.row));
    } else {
      for (const RowRef& at : order) *to++ = Has(at) ? static_cast<T>(value(*from_[at.source], at.row)) : T(0);
    }
  }
  void AppendIntegers(absl::Span<const RowRef> order) {
    AppendEach(order, data_.integers, [](const ColumnData& from, uint32_t row) { return from.integers[row]; });
  }

  void AppendNulls(absl::Span<const RowRef> order) {
    uint32_t row = data_.rows;
    data_.rows += static_cast<uint32_t>(order.size());
    data_.nulls.resize((size_t{data_.rows} + 63) / 64, 0);
    if (!has_nulls_ && bound_ == from_.size()) return;
    for (const RowRef& at : order) {
      const bool is_null = !Has(at) || from_[at.source]->IsNull(at.row);
      data_.nulls[row / 64] |= uint64_t{is_null} << (row % 64);
      nulls_ += is_null ? 1 : 0;
      ++row;
    }
  }

  // From now on values may have 128 bits.
  void Widen() {
    if (wide_) return;
    wide_ = true;
    data_.wide.assign(data_.integers.begin(), data_.integers.end());
    data_.integers.clear();
  }
  void AppendDecimals(absl::Span<const RowRef> order) {
    if (wide_) {
      AppendEach(order, data_.wide, [](const ColumnData& from, uint32_t row) { return from.DecimalAt(row).unscaled; });
    } else {
      AppendIntegers(order);
    }
    AppendEach(order, data_.scales, [](const ColumnData& from, uint32_t row) {
      return from.scales.empty() ? from.scale : from.scales[row];
    });
  }
  // The source may have had wide values, and none of them is here.
  void Finish() {
    UniteScales(data_);
    auto narrow = [](const absl::int128& unscaled) { return unscaled >= INT64_MIN && unscaled <= INT64_MAX; };
    if (!wide_ || !std::all_of(data_.wide.begin(), data_.wide.end(), narrow)) return;
    for (const absl::int128& unscaled : data_.wide) data_.integers.push_back(static_cast<int64_t>(unscaled));
    data_.wide.clear();
  }

  void AppendTexts(absl::Span<const RowRef> order) {
    if (!has_plain_) {
      for (const RowRef& at : order) data_.codes.push_back(Has(at) ? CodeOf(*from_[at.source], at) : 0);
      return;
    }
    if (!data_.codes.empty()) ExpandCodes(order.size());
    for (const RowRef& at : order) {
      if (Has(at) && !from_[at.source]->IsNull(at.row)) {
        absl::string_view text = from_[at.source]->Text(at.row);
        data_.heap.append(text.data(), text.size());
      }
      data_.text_ends.push_back(static_cast<uint32_t>(data_.heap.size()));
    }
  }

  uint32_t CodeOf(const ColumnData& source, const RowRef& at) {
    constexpr uint32_t kUnknown = UINT32_MAX;
    if (source.IsNull(at.row)) return 0;
    std::vector<uint32_t>& known = new_codes_[at.source];
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
  void ExpandCodes(size_t under_way) {
    const uint32_t rows = data_.rows;
    data_.rows = rows - static_cast<uint32_t>(under_way);
    ExpandEntries(data_);
    data_.rows = rows;
    entries_.clear();
  }

  ColumnData data_;
  uint32_t nulls_ = 0;
  bool wide_ = false;
  bool has_plain_ = false;
  absl::node_hash_map<std::string, uint32_t> entries_;  // of the texts with codes
  // The column in each of the sources under way, null where there is none.
  std::vector<const ColumnData*> from_;
  size_t bound_ = 0;  // how many are not null
  bool has_nulls_ = false;
  std::vector<std::vector<uint32_t>> new_codes_;  // by source and code there
};

RowGatherer::RowGatherer() = default;
RowGatherer::~RowGatherer() = default;

void RowGatherer::Bind(absl::Span<const ColumnSet* const> sources) {
  for (auto& [name, column] : columns_) column->BindNone(sources.size());
  std::vector<Column*> places;
  for (size_t source = 0; source < sources.size(); ++source) {
    const ColumnSet& set = *sources[source];
    // Sources mostly have the same columns.
    const bool same = source > 0 && SameNames(*sources[source - 1], set);
    if (!same) places.clear();
    for (size_t i = 0; i < set.size(); ++i) {
      if (!same) places.push_back(&PlaceOf(set[i], sources.size()));
      places[i]->Bind(source, set[i]);
    }
  }
}

RowGatherer::Column& RowGatherer::PlaceOf(const ColumnData& data, size_t sources) {
  const Name name(data.role, data.name, data.type);
  std::unique_ptr<Column>& column = columns_[name];
  if (column != nullptr) return *column;
  column = std::make_unique<Column>(name);
  // It is null in all rows so far.
  column->BindNone(1);
  column->Append(std::vector<RowRef>(rows_));
  column->BindNone(sources);
  return *column;
}

size_t RowGatherer::AppendUpTo(uint32_t max_rows, size_t max_bytes, absl::Span<const ColumnSet* const> sources,
                               absl::Span<const RowRef> order) {
  Bind(sources);
  size_t taken = 0;
  while (taken < order.size() && rows_ < max_rows && (taken == 0 || bytes() < max_bytes)) {
    const size_t count = std::min<size_t>({order.size() - taken, max_rows - rows_, kRowsAStep});
    for (auto& [name, column] : columns_) column->Append(order.subspan(taken, count));
    rows_ += static_cast<uint32_t>(count);
    taken += count;
  }
  return taken;
}

void RowGatherer::Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> order) {
  AppendUpTo(UINT32_MAX, SIZE_MAX, sources, order);
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
