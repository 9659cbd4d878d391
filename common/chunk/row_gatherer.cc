#include "common/chunk/row_gatherer.h"

#include <algorithm>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "common/chunk/text_entries.h"

namespace chartly {
namespace {

constexpr size_t kRowsAStep = 1024;
// Sources lie far apart, so what comes is asked of the memory some stretches ahead: so much of each.
constexpr size_t kStretchesAhead = 8;
constexpr uint32_t kLineBytes = 64;
constexpr uint32_t kMostLinesAhead = 4;

bool SameNames(const ColumnSet& a, const ColumnSet& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ColumnData& x, const ColumnData& y) {
    return x.role == y.role && x.type == y.type && x.name == y.name;
  });
}

}  // namespace

// One column under way. Absent values are null.
class RowGatherer::Column {
 public:
  // `memory`: of a column that is not needed any more.
  Column(const Name& name, ColumnData memory) : data_(std::move(memory)) {
    data_.Clear();
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

  // Appends the rows in order, `count` together.
  void Append(absl::Span<const Stretch> order, uint32_t count) {
    AppendNulls(order, count);
    switch (data_.type) {
      case ValueType::kText:
        AppendTexts(order, count);
        break;
      case ValueType::kFloat:
        AppendEach(order, count, &ColumnData::floats, data_.floats);
        break;
      case ValueType::kDecimal:
        AppendDecimals(order, count);
        break;
      case ValueType::kTimestamp:
        AppendEach(order, count, &ColumnData::integers, data_.integers);
        AppendShared(order, count, &ColumnData::offset_minutes, &ColumnData::offsets_minutes);
        break;
      default:
        AppendEach(order, count, &ColumnData::integers, data_.integers);
    }
    data_.rows += count;
  }

  // About the bytes of the rows.
  size_t bytes() const {
    return data_.integers.size() * sizeof(int64_t) + data_.wide.size() * sizeof(absl::int128) +
           data_.floats.size() * sizeof(double) + data_.scales.size() + data_.offsets_minutes.size() * sizeof(int16_t) +
           data_.text_ends.size() * sizeof(uint32_t) + data_.heap.size() + data_.codes.size() * sizeof(uint32_t) +
           data_.nulls.size() * sizeof(uint64_t);
  }

  ColumnData Take() {
    if (nulls_ == 0) data_.nulls.clear();
    if (data_.type == ValueType::kDecimal) Finish();
    UniteOffsets(data_);
    if (!data_.codes.empty()) SortEntries(data_);
    return std::move(data_);
  }
  bool AllNull() const { return nulls_ == data_.rows; }

 private:
  bool Has(size_t source) const { return from_[source] != nullptr; }

  // Appends what a vector of the sources holds for the rows, zeros where a source lacks the column.
  template <typename T>
  void AppendEach(absl::Span<const Stretch> order, uint32_t count, std::vector<T> ColumnData::*of, std::vector<T>& to) {
    const size_t begin = to.size();
    to.resize(begin + count);
    T* at = to.data() + begin;
    for (size_t i = 0; i < order.size(); ++i) {
      const Stretch& stretch = order[i];
      // In the loop itself: GCC leaves out calls of what only prefetches.
      if (i + kStretchesAhead < order.size() && Has(order[i + kStretchesAhead].source)) {
        const Stretch& ahead = order[i + kStretchesAhead];
        const T* from = (from_[ahead.source]->*of).data() + ahead.row;
        const uint32_t lines = std::min<uint32_t>(ahead.count, kMostLinesAhead * kLineBytes / sizeof(T));
        for (uint32_t row = 0; row < lines; row += kLineBytes / sizeof(T)) __builtin_prefetch(from + row);
      }
      if (Has(stretch.source)) {
        const T* from = (from_[stretch.source]->*of).data() + stretch.row;
        if (stretch.count == 1) {
          *at = *from;
        } else {
          std::copy_n(from, stretch.count, at);
        }
      }
      at += stretch.count;
    }
  }

  void AppendNulls(absl::Span<const Stretch> order, uint32_t count) {
    uint32_t row = data_.rows;
    data_.nulls.resize((size_t{row} + count + 63) / 64, 0);
    if (!has_nulls_ && bound_ == from_.size()) return;
    for (const Stretch& stretch : order) {
      for (uint32_t i = 0; i < stretch.count; ++i, ++row) {
        const bool is_null = !Has(stretch.source) || from_[stretch.source]->IsNull(stretch.row + i);
        data_.nulls[row / 64] |= uint64_t{is_null} << (row % 64);
        nulls_ += is_null ? 1 : 0;
      }
    }
  }

  // From now on values may have 128 bits.
  void Widen() {
    if (wide_) return;
    wide_ = true;
    data_.wide.assign(data_.integers.begin(), data_.integers.end());
    data_.integers.clear();
  }
  void AppendDecimals(absl::Span<const Stretch> order, uint32_t count) {
    if (wide_) {
      for (const Stretch& stretch : order) {
        for (uint32_t i = 0; i < stretch.count; ++i) {
          data_.wide.push_back(Has(stretch.source) ? from_[stretch.source]->DecimalAt(stretch.row + i).unscaled
                                                   : absl::int128(0));
        }
      }
    } else {
      AppendEach(order, count, &ColumnData::integers, data_.integers);
    }
    AppendShared(order, count, &ColumnData::scale, &ColumnData::scales);
  }

  // Scales or offsets: one for all rows as long as no source has another one.
  template <typename T>
  void AppendShared(absl::Span<const Stretch> order, uint32_t count, T ColumnData::*all,
                    std::vector<T> ColumnData::*each) {
    std::vector<T>& to = data_.*each;
    if (to.empty() && Share(all, each)) return;
    if (to.empty()) to.assign(data_.rows, data_.*all);
    to.reserve(to.size() + count);
    for (const Stretch& stretch : order) {
      const ColumnData* from = from_[stretch.source];
      if (from == nullptr || (from->*each).empty()) {
        to.insert(to.end(), stretch.count, from == nullptr ? T(0) : from->*all);
      } else {
        const auto begin = (from->*each).begin() + stretch.row;
        to.insert(to.end(), begin, begin + stretch.count);
      }
    }
  }
  // Whether one does for all rows so far and those of the sources that are bound.
  template <typename T>
  bool Share(T ColumnData::*all, std::vector<T> ColumnData::*each) {
    for (const ColumnData* from : from_) {
      if (from == nullptr) continue;
      if (!(from->*each).empty() || (shares_ && data_.*all != from->*all)) return false;
      data_.*all = from->*all;
      shares_ = true;
    }
    return true;
  }

  // The source may have had wide values, and none of them is here.
  void Finish() {
    UniteScales(data_);
    auto narrow = [](const absl::int128& unscaled) { return unscaled >= INT64_MIN && unscaled <= INT64_MAX; };
    if (!wide_ || !std::all_of(data_.wide.begin(), data_.wide.end(), narrow)) return;
    for (const absl::int128& unscaled : data_.wide) data_.integers.push_back(static_cast<int64_t>(unscaled));
    data_.wide.clear();
  }

  void AppendTexts(absl::Span<const Stretch> order, uint32_t count) {
    if (!has_plain_) return AppendCodes(order, count);
    if (!data_.codes.empty()) {
      ExpandEntries(data_);
      entries_.clear();
    }
    for (const Stretch& stretch : order) {
      for (uint32_t row = stretch.row; row < stretch.row + stretch.count; ++row) {
        if (Has(stretch.source) && !from_[stretch.source]->IsNull(row)) {
          absl::string_view text = from_[stretch.source]->Text(row);
          data_.heap.append(text.data(), text.size());
        }
        data_.text_ends.push_back(static_cast<uint32_t>(data_.heap.size()));
      }
    }
  }

  void AppendCodes(absl::Span<const Stretch> order, uint32_t count) {
    const size_t begin = data_.codes.size();
    data_.codes.resize(begin + count);
    uint32_t* at = data_.codes.data() + begin;
    for (size_t i = 0; i < order.size(); ++i) {
      const Stretch& stretch = order[i];
      if (i + kStretchesAhead < order.size() && Has(order[i + kStretchesAhead].source)) {
        const Stretch& ahead = order[i + kStretchesAhead];
        __builtin_prefetch(from_[ahead.source]->codes.data() + ahead.row);
      }
      if (Has(stretch.source)) PutCodes(*from_[stretch.source], stretch, at);
      at += stretch.count;
    }
  }
  void PutCodes(const ColumnData& source, const Stretch& stretch, uint32_t* at) {
    constexpr uint32_t kUnknown = UINT32_MAX;
    std::vector<uint32_t>& known = new_codes_[stretch.source];
    if (known.empty()) known.resize(source.text_ends.size(), kUnknown);
    for (uint32_t row = stretch.row; row < stretch.row + stretch.count; ++row, ++at) {
      if (source.IsNull(row)) continue;
      uint32_t& code = known[source.codes[row]];
      if (code == kUnknown) code = CodeOf(source.Text(row));
      *at = code;
    }
  }
  uint32_t CodeOf(absl::string_view text) {
    auto [place, is_new] = entries_.try_emplace(text, static_cast<uint32_t>(data_.text_ends.size()));
    if (is_new) {
      data_.heap.append(text.data(), text.size());
      data_.text_ends.push_back(static_cast<uint32_t>(data_.heap.size()));
    }
    return place->second;
  }

  ColumnData data_;
  uint32_t nulls_ = 0;
  bool wide_ = false;
  bool has_plain_ = false;
  bool shares_ = false;                                 // whether the scale or offset of all is that of a source
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
  auto memory = memory_.find(name);
  column = std::make_unique<Column>(name, memory == memory_.end() ? ColumnData() : std::move(memory->second));
  // It is null in all rows so far.
  column->BindNone(1);
  if (rows_ > 0) column->Append({{0, 0, rows_}}, rows_);
  column->BindNone(sources);
  return *column;
}

void RowGatherer::FindStretches(absl::Span<const RowRef> order) {
  stretches_.clear();
  for (const RowRef& at : order) {
    if (!stretches_.empty()) {
      Stretch& last = stretches_.back();
      if (at.source == last.source && at.row == last.row + last.count) {
        ++last.count;
        continue;
      }
    }
    stretches_.push_back({at.source, at.row, 1});
  }
}

size_t RowGatherer::AppendUpTo(uint32_t max_rows, size_t max_bytes, absl::Span<const ColumnSet* const> sources,
                               absl::Span<const RowRef> order) {
  Bind(sources);
  size_t taken = 0;
  while (taken < order.size() && rows_ < max_rows && (taken == 0 || bytes() < max_bytes)) {
    const size_t count = std::min<size_t>({order.size() - taken, max_rows - rows_, kRowsAStep});
    FindStretches(order.subspan(taken, count));
    for (auto& [name, column] : columns_) column->Append(stretches_, static_cast<uint32_t>(count));
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

void RowGatherer::Reuse(ColumnSet set) {
  memory_.clear();
  for (ColumnData& column : set) memory_[Name(column.role, column.name, column.type)] = std::move(column);
}

}  // namespace chartly
