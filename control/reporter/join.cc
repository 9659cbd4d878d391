#include "control/reporter/join.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::reporter {
namespace {

// A held row: key, place in the order, and slack of vectors that double.
constexpr int64_t kRowBytes = 16;
// An entry of the hash map beside the bytes of its key, and its place in starts of every side.
constexpr int64_t kKeyBytes = 64;

int64_t BytesOf(const Value& value) {
  return static_cast<int64_t>(sizeof(Value) + (value.type() == ValueType::kText ? value.text().size() : 0));
}

absl::Status TooManyRows(int64_t max_rows) {
  return Error(
      absl::StatusCode::kResourceExhausted, "REPORT_TOO_LARGE",
      absl::StrCat("the join gives more than ", max_rows, " rows; join on more dims, or add a filter to an input"),
      {{"limit_rows", absl::StrCat(max_rows)}});
}

}  // namespace

Join::Join(size_t sides, size_t key_width, int64_t max_rows, Reservation& reservation)
    : key_width_(key_width), max_rows_(max_rows), reservation_(reservation), sides_(sides, Side(key_width)) {}

absl::StatusOr<uint32_t> Join::InternKey(absl::string_view key, DimLookup dim) {
  auto [entry, added] = key_ids_.try_emplace(key, static_cast<uint32_t>(key_ids_.size()));
  if (!added) return entry->second;
  int64_t bytes = kKeyBytes + static_cast<int64_t>(key.size());
  for (size_t d = 0; d < key_width_; ++d) {
    key_values_.push_back(dim(d));
    bytes += 2 * BytesOf(key_values_.back());
  }
  RETURN_IF_ERROR(reservation_.Grow(bytes));
  return entry->second;
}

absl::Status Join::Add(size_t side_index, absl::string_view key, bool has_null, DimLookup dim, const Value& measure) {
  Side& side = sides_[side_index];
  uint32_t id = 0;
  if (side_index == 0 && (!has_null || sides_.size() == 1)) {
    ASSIGN_OR_RETURN(id, InternKey(key, dim));
  } else {
    auto known = has_null ? key_ids_.end() : key_ids_.find(key);
    if (known == key_ids_.end()) {
      ++side.result.unmatched;
      side.examples.Offer(dim);
      return absl::OkStatus();
    }
    id = known->second;
  }
  side.keys.push_back(id);
  return reservation_.Grow(kRowBytes + 2 * side.measures.Add(measure));
}

absl::Status Join::Group(Side& side) {
  RETURN_IF_ERROR(reservation_.Grow(static_cast<int64_t>(4 * (key_ids_.size() + 1))));
  side.starts.assign(key_ids_.size() + 1, 0);
  for (uint32_t key : side.keys) ++side.starts[key + 1];
  for (size_t key = 0; key < key_ids_.size(); ++key) side.starts[key + 1] += side.starts[key];
  side.order.resize(side.keys.size());
  std::vector<uint32_t> next(side.starts.begin(), side.starts.end() - 1);
  for (uint32_t row = 0; row < side.keys.size(); ++row) side.order[next[side.keys[row]]++] = row;
  SortRepeated(side);
  return absl::OkStatus();
}

void Join::SortRepeated(Side& side) const {
  for (size_t key = 0; key < key_ids_.size(); ++key) {
    auto begin = side.order.begin() + side.starts[key];
    auto end = side.order.begin() + side.starts[key + 1];
    if (end - begin < 2) continue;
    std::stable_sort(begin, end, [&side](uint32_t a, uint32_t b) {
      Value left = side.measures.Get(a);
      Value right = side.measures.Get(b);
      int order = CompareValues(left, right);
      return order != 0 ? order < 0 : left.ToText() < right.ToText();
    });
  }
}

int64_t Join::Product(uint32_t key) const {
  int64_t product = 1;
  for (const Side& side : sides_) {
    int64_t count = CountOf(side, key);
    if (count > 0 && product > std::numeric_limits<int64_t>::max() / 2 / count) return max_rows_ + 1;
    product *= count;
  }
  return product;
}

void Join::CountUnmatched(uint32_t key) {
  for (Side& side : sides_) {
    uint32_t count = CountOf(side, key);
    if (count == 0) continue;
    side.result.unmatched += count;
    side.examples.Offer([&](size_t dim) { return KeyValue(key, dim); });
  }
}

absl::Status Join::Finish() {
  for (Side& side : sides_) RETURN_IF_ERROR(Group(side));
  for (uint32_t key = 0; key < key_ids_.size(); ++key) {
    int64_t product = Product(key);
    if (product == 0) {
      CountUnmatched(key);
      continue;
    }
    row_count_ += product;
    if (row_count_ > max_rows_) return TooManyRows(max_rows_);
    joined_keys_.push_back(key);
    for (Side& side : sides_) side.result.repeated_keys += CountOf(side, key) > 1 ? 1 : 0;
  }
  std::sort(joined_keys_.begin(), joined_keys_.end(),
            [this](uint32_t a, uint32_t b) { return CompareKeys(&KeyValue(a, 0), &KeyValue(b, 0), key_width_) < 0; });
  for (Side& side : sides_) side.result.unmatched_examples = side.examples.Texts();
  return absl::OkStatus();
}

void Join::Visit(absl::FunctionRef<bool(uint32_t key, const std::vector<uint32_t>& places)> visit) const {
  std::vector<uint32_t> at(sides_.size());
  std::vector<uint32_t> places(sides_.size());
  for (uint32_t key : joined_keys_) {
    for (size_t i = 0; i < sides_.size(); ++i) at[i] = sides_[i].starts[key];
    while (true) {
      for (size_t i = 0; i < sides_.size(); ++i) places[i] = sides_[i].order[at[i]];
      if (!visit(key, places)) return;
      // The last side turns fastest, as in nested loops.
      size_t i = sides_.size();
      while (i > 0 && ++at[i - 1] == sides_[i - 1].starts[key + 1]) {
        at[i - 1] = sides_[i - 1].starts[key];
        --i;
      }
      if (i == 0) break;
    }
  }
}

}  // namespace chartly::reporter
