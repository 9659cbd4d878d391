#include "common/chunk/row_order.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"
#include "common/chunk/radix_sort.h"
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
  // Puts the number of each row below what is in `packed` for it.
  template <typename Number>
  void PutBelow(absl::Span<const RowRef> rows, Number* packed) const {
    const int shift = bits();
    if (ranks_.empty()) {
      for (const RowRef& at : rows) {
        *packed = *packed << shift | Number(Unsigned(columns_[at.source]->integers[at.row]) - Unsigned(least_));
        ++packed;
      }
    } else {
      for (const RowRef& at : rows) {
        *packed = *packed << shift | Number(ranks_[at.source][columns_[at.source]->codes[at.row]]);
        ++packed;
      }
    }
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

  // The number of each entry of each source among all texts. Sources mostly have the same ones.
  void RankTexts() {
    absl::flat_hash_map<absl::string_view, uint32_t> ranks;
    std::vector<absl::string_view> texts;
    for (const ColumnData* column : columns_) {
      const auto count = static_cast<uint32_t>(column->text_ends.size());
      std::vector<uint32_t>& numbers = ranks_.emplace_back(count);
      for (uint32_t code = 0; code < count; ++code) {
        auto [known, is_new] = ranks.try_emplace(column->Entry(code), static_cast<uint32_t>(texts.size()));
        if (is_new) texts.push_back(known->first);
        numbers[code] = known->second;
      }
    }
    std::vector<uint32_t> order(texts.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return texts[a] < texts[b]; });
    std::vector<uint32_t> rank_of(texts.size());
    for (uint32_t rank = 0; rank < order.size(); ++rank) rank_of[order[rank]] = rank;
    for (std::vector<uint32_t>& numbers : ranks_) {
      for (uint32_t& number : numbers) number = rank_of[number];
    }
    largest_ = texts.empty() ? 0 : texts.size() - 1;
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

// All dims of a row, and below these its place among the rows.
template <typename Number>
std::vector<Number> PackRows(const std::vector<DimNumbers>& dims, int place_bits, const std::vector<RowRef>& rows) {
  constexpr size_t kBlock = 2048;  // as many as stay in the nearest cache while the dims go over them
  std::vector<Number> packed(rows.size());
  for (size_t begin = 0; begin < rows.size(); begin += kBlock) {
    const auto block = absl::MakeConstSpan(rows).subspan(begin, kBlock);
    for (const DimNumbers& dim : dims) dim.PutBelow(block, &packed[begin]);
    for (size_t i = begin; i < begin + block.size(); ++i) packed[i] = packed[i] << place_bits | Number(i);
  }
  return packed;
}

template <typename Number>
void ReorderRows(const std::vector<Number>& packed, int place_bits, std::vector<RowRef>& rows) {
  std::vector<RowRef> ordered;
  ordered.reserve(rows.size());
  const uint64_t place_mask = (uint64_t{1} << place_bits) - 1;
  for (const Number& number : packed) ordered.push_back(rows[static_cast<uint64_t>(number) & place_mask]);
  rows = std::move(ordered);
}

template <typename Number>
void SortRows(const std::vector<DimNumbers>& dims, int place_bits, std::vector<RowRef>& rows) {
  std::vector<Number> packed = PackRows<Number>(dims, place_bits, rows);
  if (std::is_sorted(packed.begin(), packed.end())) return;
  SortByUpperBits(place_bits, packed);
  ReorderRows(packed, place_bits, rows);
}

// Whether it could: all dims of a row, and its place among the rows, as one number.
bool OrderByNumbers(Sources sources, Key key, std::vector<RowRef>& rows) {
  const std::optional<std::vector<DimNumbers>> dims = NumberDims(sources, key);
  if (!dims) return false;
  const int place_bits = std::bit_width(rows.size());
  int bits = place_bits;
  for (const DimNumbers& dim : *dims) bits += dim.bits();
  if (bits > kPackedBits) return false;
  if (bits <= 64) {
    SortRows<uint64_t>(*dims, place_bits, rows);
  } else {
    SortRows<absl::uint128>(*dims, place_bits, rows);
  }
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
