#include "control/reporter/join.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/join_keys.h"
#include "control/reporter/key_sort.h"
#include "control/reporter/parallel.h"

namespace chartly::reporter {
namespace {

constexpr int64_t kMicrosPerDay = int64_t{24} * 3600 * 1'000'000;
// What a joined row takes before its columns: its place on both sides.
constexpr int64_t kPairBytes = 8;
// What sorting and holding the keys of a row takes.
constexpr int64_t kKeyRowBytes = 8 + 4 + 32;

absl::Status TooManyRows(int64_t rows_max) {
  return Error(
      absl::StatusCode::kResourceExhausted, "REPORT_TOO_LARGE",
      absl::StrCat("the join gives more than ", rows_max, " rows; join on more dims, or add a filter to an input"),
      {{"limit_rows", absl::StrCat(rows_max)}});
}

// One side in order of key, walked a run of equal keys at a time.
class Side {
 public:
  explicit Side(const BigVector<uint64_t>& keys) : keys_(keys) {
    if (!std::is_sorted(keys.begin(), keys.end())) order_ = SortedByKey(keys);
    FindEnd();
  }
  bool AtEnd() const { return begin_ == size() || Key() == kNullKey; }
  uint64_t Key() const { return KeyAt(begin_); }
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }
  size_t size() const { return keys_.size(); }
  uint32_t Row(size_t place) const { return order_.empty() ? static_cast<uint32_t>(place) : order_[place]; }
  uint64_t KeyAt(size_t place) const { return keys_[Row(place)]; }
  void Next() {
    begin_ = end_;
    FindEnd();
  }

 private:
  void FindEnd() {
    while (end_ < size() && KeyAt(end_) == KeyAt(begin_)) ++end_;
  }
  const BigVector<uint64_t>& keys_;
  BigVector<uint32_t> order_;  // empty if the keys are in order as they are
  size_t begin_ = 0;
  size_t end_ = 0;
};

struct Range {
  size_t begin;
  size_t end;
  size_t size() const { return end - begin; }
};

// Collects joined rows within the limits.
class Pairs {
 public:
  Pairs(const Side& left, const Side& right, int64_t rows_max, Reservation& reservation, JoinResult& result)
      : left_(left), right_(right), rows_max_(rows_max), reservation_(reservation), result_(result) {}

  absl::Status Both(Range left, Range right) {
    RETURN_IF_ERROR(Grow(static_cast<int64_t>(left.size()), static_cast<int64_t>(right.size())));
    result_.repeated_left += left.size() > 1 ? 1 : 0;
    result_.repeated_right += right.size() > 1 ? 1 : 0;
    for (size_t l = left.begin; l < left.end; ++l) {
      for (size_t r = right.begin; r < right.end; ++r) Add(left_.Row(l), right_.Row(r));
    }
    return absl::OkStatus();
  }
  absl::Status LeftOnly(Range left) {
    RETURN_IF_ERROR(Grow(static_cast<int64_t>(left.size()), 1));
    for (size_t l = left.begin; l < left.end; ++l) Add(left_.Row(l), kNoRow);
    return absl::OkStatus();
  }
  absl::Status RightOnly(Range right) {
    RETURN_IF_ERROR(Grow(1, static_cast<int64_t>(right.size())));
    for (size_t r = right.begin; r < right.end; ++r) Add(kNoRow, right_.Row(r));
    return absl::OkStatus();
  }

 private:
  absl::Status Grow(int64_t left, int64_t right) {
    int64_t rows = static_cast<int64_t>(result_.left_rows.size());
    if (right > 0 && left > (rows_max_ - rows) / right) return TooManyRows(rows_max_);
    if (rows + left * right <= paid_) return absl::OkStatus();
    // Many at a time: most keys give one row.
    int64_t more = std::max(rows + left * right - paid_, std::min(kRowsAtATime, rows_max_ - paid_));
    paid_ += more;
    return reservation_.Grow(more * kPairBytes);
  }
  void Add(uint32_t left, uint32_t right) {
    result_.left_rows.push_back(left);
    result_.right_rows.push_back(right);
  }
  static constexpr int64_t kRowsAtATime = 4096;
  const Side& left_;
  const Side& right_;
  const int64_t rows_max_;
  Reservation& reservation_;
  JoinResult& result_;
  int64_t paid_ = 0;  // rows that the reservation has room for
};

absl::Status MatchEqual(Side& left, Side& right, JoinKind kind, Pairs& pairs) {
  while (!left.AtEnd() || !right.AtEnd()) {
    bool take_left = !left.AtEnd() && (right.AtEnd() || left.Key() <= right.Key());
    bool take_right = !right.AtEnd() && (left.AtEnd() || right.Key() <= left.Key());
    if (take_left && take_right) {
      RETURN_IF_ERROR(pairs.Both({left.begin(), left.end()}, {right.begin(), right.end()}));
    } else if (take_left && kind != JoinKind::kInner) {
      RETURN_IF_ERROR(pairs.LeftOnly({left.begin(), left.end()}));
    } else if (take_right && kind == JoinKind::kOuter) {
      RETURN_IF_ERROR(pairs.RightOnly({right.begin(), right.end()}));
    }
    if (take_left) left.Next();
    if (take_right) right.Next();
  }
  return absl::OkStatus();
}

// Where a value lies on the axis of its kind.
absl::StatusOr<long double> PlaceOf(const Value& value, const JoinKey& key) {
  bool is_time = value.type() == ValueType::kDate || value.type() == ValueType::kTimestamp;
  if (is_time != key.nearest->is_time || (!is_time && !value.is_number())) {
    return Error(absl::StatusCode::kInvalidArgument, "REPORT_FIELD_INVALID",
                 absl::StrCat("nearest of ", key.left, ": \"", value.ToText(), "\" is ", ValueTypeName(value.type()),
                              "; give a time like 2h for dates and times, a plain number "
                              "for numbers, and a rule such as to_date for text"));
  }
  if (value.type() == ValueType::kDate) return static_cast<long double>(value.date().days) * kMicrosPerDay;
  if (value.type() == ValueType::kTimestamp) return static_cast<long double>(value.timestamp().micros);
  return static_cast<long double>(value.ToDouble());
}

absl::StatusOr<std::vector<long double>> PlacesOf(const Dictionary& values, const JoinKey& key) {
  std::vector<long double> places;
  places.reserve(values.size());
  for (const Value& value : values) {
    ASSIGN_OR_RETURN(long double place, PlaceOf(value, key));
    places.push_back(place);
  }
  return places;
}

// The runs of equal keys of one side.
std::vector<Range> RunsOf(Side& side) {
  std::vector<Range> runs;
  for (; !side.AtEnd(); side.Next()) runs.push_back({side.begin(), side.end()});
  return runs;
}

// Joins each key of the left with the nearest of the right among those with the same other keys.
class NearestMatch {
 public:
  NearestMatch(const Side& left, const Side& right, const JoinKeys& keys, const JoinKey& rule,
               std::vector<long double> places)
      : left_(left),
        right_(right),
        values_(keys.last_values),
        places_(std::move(places)),
        tolerance_(rule.nearest->is_time ? static_cast<long double>(rule.nearest->micros)
                                         : static_cast<long double>(rule.nearest->number)) {}

  // The run of the right that is nearest to a run of the left; runs.size() if none is near enough.
  size_t Find(const Range& run, const std::vector<Range>& runs) const {
    uint64_t key = left_.KeyAt(run.begin);
    auto after = std::lower_bound(runs.begin(), runs.end(), key, [this](const Range& other, uint64_t wanted) {
      return right_.KeyAt(other.begin) < wanted;
    });
    size_t best = runs.size();
    long double best_distance = tolerance_;
    auto offer = [&](size_t candidate) {
      uint64_t other = right_.KeyAt(runs[candidate].begin);
      if (other / values_ != key / values_) return;
      long double distance = places_[other % values_] - places_[key % values_];
      if (distance < 0) distance = -distance;
      if (distance > best_distance || (best != runs.size() && distance == best_distance)) return;
      best = candidate;
      best_distance = distance;
    };
    size_t at = static_cast<size_t>(after - runs.begin());
    if (at > 0) offer(at - 1);  // the earlier one first: it wins if both are equally near
    if (at < runs.size()) offer(at);
    return best;
  }

 private:
  const Side& left_;
  const Side& right_;
  const uint64_t values_;
  const std::vector<long double> places_;
  const long double tolerance_;
};

absl::Status MatchNearest(Side& left, Side& right, const JoinKeys& keys, const JoinKey& rule, JoinKind kind,
                          Pairs& pairs) {
  ASSIGN_OR_RETURN(std::vector<long double> places, PlacesOf(*keys.values.back(), rule));
  NearestMatch match(left, right, keys, rule, std::move(places));
  std::vector<Range> left_runs = RunsOf(left), right_runs = RunsOf(right);
  std::vector<size_t> partner;
  std::vector<bool> used(right_runs.size(), false);
  for (const Range& run : left_runs) {
    partner.push_back(match.Find(run, right_runs));
    if (partner.back() < right_runs.size()) used[partner.back()] = true;
  }
  size_t r = 0;
  for (size_t l = 0; l <= left_runs.size(); ++l) {
    // What nobody is near to goes between the keys of the left, where its own key belongs.
    for (; r < right_runs.size() &&
           (l == left_runs.size() || right.KeyAt(right_runs[r].begin) < left.KeyAt(left_runs[l].begin));
         ++r) {
      if (!used[r] && kind == JoinKind::kOuter) RETURN_IF_ERROR(pairs.RightOnly(right_runs[r]));
    }
    if (l == left_runs.size()) break;
    if (partner[l] < right_runs.size()) {
      RETURN_IF_ERROR(pairs.Both(left_runs[l], right_runs[partner[l]]));
    } else if (kind != JoinKind::kInner) {
      RETURN_IF_ERROR(pairs.LeftOnly(left_runs[l]));
    }
  }
  return absl::OkStatus();
}

// A key column of the result: the value of the left row, or of the right one where there is no left.
Column KeyOfRows(const KeyColumn& left, const KeyColumn& right, const DictionaryPtr& values, const JoinResult& result) {
  BigVector<uint32_t> codes(result.left_rows.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = result.left_rows[i] != kNoRow ? left.At(result.left_rows[i]) : right.At(result.right_rows[i]);
  }
  return Column::Key(left.column->name, values, std::move(codes));
}

bool IsKey(const std::vector<JoinKey>& keys, const std::string& name, std::string JoinKey::*side) {
  return std::any_of(keys.begin(), keys.end(), [&](const JoinKey& key) {
    // The time of the right is not that of the left if the nearest was taken, so both are shown.
    bool shown = key.nearest && side == &JoinKey::right;
    return !shown && (key.*side == name || BareName(key.*side) == name);
  });
}

void FillTable(const Table& left, const Table& right, const std::vector<JoinKey>& keys, const JoinKeys& coded,
               JoinResult& result) {
  Table& table = result.table;
  table.rows = result.left_rows.size();
  // What makes each column; the columns are made at once, and then take their names.
  std::vector<std::function<Column()>> makers;
  for (size_t k = 0; k < keys.size(); ++k) {
    makers.push_back(
        [&, k] { return KeyOfRows(coded.left_columns[k], coded.right_columns[k], coded.values[k], result); });
  }
  for (const Column& column : left.columns) {
    if (IsKey(keys, column.name, &JoinKey::left)) continue;
    makers.push_back([&] { return column.Gather(result.left_rows); });
  }
  const size_t first_right = makers.size();
  for (const Column& column : right.columns) {
    result.right_columns.push_back(static_cast<uint32_t>(makers.size()));
    if (IsKey(keys, column.name, &JoinKey::right)) continue;
    makers.push_back([&] { return column.Gather(result.right_rows); });
  }
  std::vector<Column> columns(makers.size());
  InParallel(makers.size(), [&](size_t i) { columns[i] = makers[i](); });
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i >= first_right) columns[i].name = FreeName(table, columns[i].name);
    table.columns.push_back(std::move(columns[i]));
  }
}

}  // namespace

absl::StatusOr<JoinResult> JoinTables(const Table& left, const Table& right, const std::vector<JoinKey>& keys,
                                      JoinKind kind, int64_t rows_max, Reservation& reservation) {
  int64_t key_bytes = static_cast<int64_t>(left.rows + right.rows) * kKeyRowBytes;
  RETURN_IF_ERROR(reservation.Grow(key_bytes));
  ASSIGN_OR_RETURN(JoinKeys coded, MakeJoinKeys(left, right, keys));
  std::optional<Side> sides[2];
  InParallel(2, [&](size_t i) { sides[i].emplace(i == 0 ? coded.left : coded.right); });
  Side &left_side = *sides[0], &right_side = *sides[1];
  JoinResult result;
  result.notes = coded.notes;
  Pairs pairs(left_side, right_side, rows_max, reservation, result);
  RETURN_IF_ERROR(keys.back().nearest ? MatchNearest(left_side, right_side, coded, keys.back(), kind, pairs)
                                      : MatchEqual(left_side, right_side, kind, pairs));
  // Rows without a key match nothing and come last.
  if (kind != JoinKind::kInner) RETURN_IF_ERROR(pairs.LeftOnly({left_side.begin(), left_side.size()}));
  if (kind == JoinKind::kOuter) RETURN_IF_ERROR(pairs.RightOnly({right_side.begin(), right_side.size()}));
  int64_t width = 4 * static_cast<int64_t>(keys.size()) +
                  ValueColumn::kBytesPerValue * static_cast<int64_t>(left.columns.size() + right.columns.size());
  RETURN_IF_ERROR(reservation.Grow(static_cast<int64_t>(result.left_rows.size()) * width));
  FillTable(left, right, keys, coded, result);
  reservation.Shrink(key_bytes);
  return result;
}

}  // namespace chartly::reporter
