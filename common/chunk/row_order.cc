#include "common/chunk/row_order.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"
#include "common/chunk/sort_key.h"

namespace chartly {
namespace {

using Sources = absl::Span<const ColumnSet>;
using Key = absl::Span<const std::string>;

constexpr int kPackedBits = 128;

uint64_t Unsigned(int64_t value) { return static_cast<uint64_t>(value); }

bool IsKeyDim(const ColumnData& column, Key key) {
  return column.role == Role::kDim && (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end());
}

// One key dim in all sources, as numbers that are in the order of its values.
class DimNumbers {
 public:
  // Nothing if a source has it in a form for which there are no such numbers.
  static std::optional<DimNumbers> Make(std::vector<const ColumnData*> columns) {
    const ColumnData& first = *columns.front();
    for (const ColumnData* column : columns) {
      const bool alike = column->name == first.name && column->type == first.type && column->nulls.empty();
      if (!alike || column->type == ValueType::kFloat) return std::nullopt;
      if (column->type == ValueType::kText && column->codes.empty()) return std::nullopt;
      if (column->type != ValueType::kDecimal) continue;
      if (!column->wide.empty() || !column->scales.empty() || column->scale != first.scale) return std::nullopt;
    }
    DimNumbers numbers;
    numbers.columns_ = std::move(columns);
    if (first.type == ValueType::kText) {
      numbers.RankTexts();
    } else {
      numbers.FindRange();
    }
    return numbers;
  }

  int bits() const { return std::bit_width(largest_); }
  uint64_t Of(const RowRef& at) const {
    const ColumnData& column = *columns_[at.source];
    if (ranks_.empty()) return Unsigned(column.integers[at.row]) - Unsigned(least_);
    return ranks_[at.source][column.codes[at.row]];
  }

 private:
  void FindRange() {
    int64_t most = std::numeric_limits<int64_t>::min();
    least_ = std::numeric_limits<int64_t>::max();
    for (const ColumnData* column : columns_) {
      for (int64_t value : column->integers) {
        least_ = std::min(least_, value);
        most = std::max(most, value);
      }
    }
    largest_ = most < least_ ? 0 : Unsigned(most) - Unsigned(least_);
  }

  // The number of each entry of each source among all texts.
  void RankTexts() {
    struct Entry {
      absl::string_view text;
      uint32_t source;
      uint32_t code;
    };
    std::vector<Entry> entries;
    for (uint32_t source = 0; source < columns_.size(); ++source) {
      const auto count = static_cast<uint32_t>(columns_[source]->text_ends.size());
      for (uint32_t code = 0; code < count; ++code) entries.push_back({columns_[source]->Entry(code), source, code});
      ranks_.emplace_back(count);
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0 && entries[i].text != entries[i - 1].text) ++largest_;
      ranks_[entries[i].source][entries[i].code] = static_cast<uint32_t>(largest_);
    }
  }

  std::vector<const ColumnData*> columns_;    // by source
  int64_t least_ = 0;                         // of numbers
  std::vector<std::vector<uint32_t>> ranks_;  // of texts: by source and code
  uint64_t largest_ = 0;
};

// The key dims in their order; nothing if not all sources have the same, or one in a form without numbers.
std::optional<std::vector<DimNumbers>> NumberDims(Sources sources, Key key) {
  std::vector<std::vector<const ColumnData*>> dims;  // by dim and source
  for (size_t source = 0; source < sources.size(); ++source) {
    size_t dim = 0;
    const ColumnData* previous = nullptr;
    for (const ColumnData& column : sources[source]) {
      if (!IsKeyDim(column, key)) continue;
      if (previous != nullptr && previous->name == column.name) return std::nullopt;  // two types
      previous = &column;
      if (source == 0) dims.emplace_back();
      if (dim == dims.size()) return std::nullopt;
      dims[dim++].push_back(&column);
    }
    if (dim != dims.size()) return std::nullopt;
  }
  std::vector<DimNumbers> numbers;
  for (std::vector<const ColumnData*>& columns : dims) {
    std::optional<DimNumbers> dim = DimNumbers::Make(std::move(columns));
    if (!dim) return std::nullopt;
    numbers.push_back(*std::move(dim));
  }
  return numbers;
}

// Whether it could: all dims of a row, and its place among the rows, as one number.
bool OrderByNumbers(Sources sources, Key key, std::vector<RowRef>& rows) {
  const std::optional<std::vector<DimNumbers>> dims = NumberDims(sources, key);
  if (!dims) return false;
  const int place_bits = std::bit_width(rows.size());
  int bits = place_bits;
  for (const DimNumbers& dim : *dims) bits += dim.bits();
  if (bits > kPackedBits) return false;
  std::vector<absl::uint128> packed;
  packed.reserve(rows.size());
  for (const RowRef& at : rows) {
    absl::uint128 number = 0;
    for (const DimNumbers& dim : *dims) number = number << dim.bits() | dim.Of(at);
    packed.push_back(number << place_bits | packed.size());
  }
  if (std::is_sorted(packed.begin(), packed.end())) return true;
  std::sort(packed.begin(), packed.end());
  std::vector<RowRef> ordered;
  ordered.reserve(rows.size());
  const uint64_t place_mask = (uint64_t{1} << place_bits) - 1;
  for (const absl::uint128& number : packed) ordered.push_back(rows[absl::Uint128Low64(number) & place_mask]);
  rows = std::move(ordered);
  return true;
}

void OrderByBytes(Sources sources, Key key, std::vector<RowRef>& rows) {
  struct Row {
    size_t key;  // where its key begins
    uint32_t size;
    RowRef at;
  };
  std::vector<SortKeyEncoder> encoders;
  encoders.reserve(sources.size());
  for (const ColumnSet& source : sources) encoders.emplace_back(source, key);
  std::string keys;
  std::vector<Row> order;
  order.reserve(rows.size());
  for (const RowRef& at : rows) {
    const size_t begin = keys.size();
    encoders[at.source].Append(at.row, keys);
    order.push_back({begin, static_cast<uint32_t>(keys.size() - begin), at});
  }
  std::stable_sort(order.begin(), order.end(), [&](const Row& a, const Row& b) {
    return absl::string_view(keys.data() + a.key, a.size) < absl::string_view(keys.data() + b.key, b.size);
  });
  for (size_t i = 0; i < order.size(); ++i) rows[i] = order[i].at;
}

}  // namespace

void OrderRows(absl::Span<const ColumnSet> sources, absl::Span<const std::string> key, std::vector<RowRef>& rows) {
  if (!OrderByNumbers(sources, key, rows)) OrderByBytes(sources, key, rows);
}

}  // namespace chartly
