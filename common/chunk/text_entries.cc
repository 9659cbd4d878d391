#include "common/chunk/text_entries.h"

#include <algorithm>
#include <numeric>

#include "absl/container/flat_hash_map.h"

namespace chartly {

void SortEntries(ColumnData& column) {
  constexpr uint32_t kUnused = UINT32_MAX;
  std::vector<uint32_t> new_code(column.text_ends.size(), kUnused);
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) new_code[column.codes[row]] = 0;
  }
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < new_code.size(); ++i) {
    if (new_code[i] != kUnused) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return column.Entry(a) < column.Entry(b); });
  std::string heap;
  std::vector<uint32_t> ends;
  for (size_t i = 0; i < order.size(); ++i) {
    absl::string_view text = column.Entry(order[i]);
    if (i == 0 || text != column.Entry(order[i - 1])) {
      heap.append(text.data(), text.size());
      ends.push_back(static_cast<uint32_t>(heap.size()));
    }
    new_code[order[i]] = static_cast<uint32_t>(ends.size() - 1);
  }
  if (ends.empty() && column.rows > 0) ends.push_back(0);  // all rows are null, and still have a code
  for (uint32_t row = 0; row < column.rows; ++row) {
    column.codes[row] = column.IsNull(row) ? 0 : new_code[column.codes[row]];
  }
  column.heap = std::move(heap);
  column.text_ends = std::move(ends);
}

bool MakeEntries(ColumnData& column, size_t most) {
  absl::flat_hash_map<absl::string_view, uint32_t> seen;
  std::vector<uint32_t> codes(column.rows, 0);
  std::vector<uint32_t> first_rows;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (column.IsNull(row)) continue;
    auto [place, is_new] = seen.emplace(column.Text(row), static_cast<uint32_t>(first_rows.size()));
    if (is_new) first_rows.push_back(row);
    if (first_rows.size() > most) return false;
    codes[row] = place->second;
  }
  if (first_rows.empty()) return false;
  std::string heap;
  std::vector<uint32_t> ends;
  for (uint32_t row : first_rows) {
    absl::string_view text = column.Text(row);
    heap.append(text.data(), text.size());
    ends.push_back(static_cast<uint32_t>(heap.size()));
  }
  column.heap = std::move(heap);
  column.text_ends = std::move(ends);
  column.codes = std::move(codes);
  SortEntries(column);
  return true;
}

void ExpandEntries(ColumnData& column) {
  std::string heap;
  std::vector<uint32_t> ends;
  ends.reserve(column.rows);
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) {
      absl::string_view text = column.Text(row);
      heap.append(text.data(), text.size());
    }
    ends.push_back(static_cast<uint32_t>(heap.size()));
  }
  column.heap = std::move(heap);
  column.text_ends = std::move(ends);
  column.codes.clear();
}

}  // namespace chartly
