#include "control/reporter/join.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/join_keys.h"
#include "control/reporter/key_sort.h"
#include "control/reporter/pair_runs.h"
#include "control/reporter/parallel.h"
#include "control/reporter/rising_join.h"

namespace chartly::reporter {
namespace {

constexpr int64_t kMicrosPerDay = int64_t{24} * 3600 * 1'000'000;
// What holding the key of a row takes, and what sorting it.
constexpr int64_t kKeyBytes = 8;
constexpr int64_t kSortBytes = 4 + 32;

struct Range {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
};

// How keys follow each other.
struct KeyOrder {
  bool sorted = true;
  bool unique = true;  // none that is there is equal to the one before
};

KeyOrder OrderOf(const BigVector<uint64_t>& keys) {
  constexpr size_t kAtATime = 1024;
  KeyOrder order;
  for (size_t begin = 1; begin < keys.size() && order.sorted; begin += kAtATime) {
    const size_t end = std::min(keys.size(), begin + kAtATime);
    unsigned below = 0, equal = 0;
    for (size_t i = begin; i < end; ++i) {
      below |= static_cast<unsigned>(keys[i] < keys[i - 1]);
      equal |= static_cast<unsigned>(keys[i] == keys[i - 1]) & static_cast<unsigned>(keys[i] != kNullKey);
    }
    order.sorted = below == 0;
    order.unique = order.unique && equal == 0;
  }
  return order;
}

// One side in order of key; rows without a key come last.
class Side {
 public:
  explicit Side(const BigVector<uint64_t>& keys) : keys_(&keys), key_order_(OrderOf(keys)) {}
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  bool is_sorted() const { return key_order_.sorted; }
  // To be called once, before anything below.
  void Sort() {
    is_unique_ = key_order_.unique;
    if (!is_sorted()) {
      order_ = SortedByKey(*keys_);
      sorted_.resize(order_.size());
      for (size_t place = 0; place < order_.size(); ++place) sorted_[place] = (*keys_)[order_[place]];
      keys_ = &sorted_;
      is_unique_ = OrderOf(sorted_).unique;
    }
    const auto end = std::lower_bound(keys_->begin(), keys_->end(), kNullKey);
    keyed_ = static_cast<size_t>(end - keys_->begin());
  }
  size_t size() const { return keys_->size(); }
  size_t keyed() const { return keyed_; }        // rows with a key
  bool is_unique() const { return is_unique_; }  // no key occurs twice
  uint64_t KeyAt(size_t place) const { return (*keys_)[place]; }
  const uint64_t* Keys(size_t place) const { return keys_->data() + place; }
  uint32_t Row(size_t place) const { return order_.empty() ? static_cast<uint32_t>(place) : order_[place]; }
  // The first place whose key is not below, or above, this one; keyed() if there is none.
  size_t FirstFrom(uint64_t key) const {
    return static_cast<size_t>(std::lower_bound(keys_->begin(), Keyed(), key) - keys_->begin());
  }
  size_t FirstBehind(uint64_t key) const {
    return static_cast<size_t>(std::upper_bound(keys_->begin(), Keyed(), key) - keys_->begin());
  }

 private:
  BigVector<uint64_t>::const_iterator Keyed() const { return keys_->begin() + static_cast<int64_t>(keyed_); }
  const BigVector<uint64_t>* keys_;
  const KeyOrder key_order_;
  BigVector<uint32_t> order_;   // empty if the keys are in order as they are
  BigVector<uint64_t> sorted_;  // likewise
  size_t keyed_ = 0;
  bool is_unique_ = false;
};

// Walks places of a side a run of equal keys at a time.
class Runs {
 public:
  Runs(const Side& side, Range places) : side_(side), run_{places.begin, places.begin}, end_(places.end) { FindEnd(); }
  bool AtEnd() const { return run_.begin == end_; }
  uint64_t Key() const { return side_.KeyAt(run_.begin); }
  const Range& run() const { return run_; }
  void Next() {
    run_.begin = run_.end;
    FindEnd();
  }

 private:
  void FindEnd() {
    while (run_.end < end_ && side_.KeyAt(run_.end) == side_.KeyAt(run_.begin)) ++run_.end;
  }
  const Side& side_;
  Range run_;
  const size_t end_;
};

// How many of the first numbers of two lists are equal, one by one.
size_t CountEqual(const uint64_t* left, const uint64_t* right, size_t count) {
  constexpr size_t kAtATime = 16;
  size_t equal = 0;
  for (; equal + kAtATime <= count; equal += kAtATime) {
    uint64_t differ = 0;
    for (size_t i = 0; i < kAtATime; ++i) differ |= left[equal + i] ^ right[equal + i];
    if (differ != 0) break;
  }
  while (equal < count && left[equal] == right[equal]) ++equal;
  return equal;
}

// Collects joined rows. Not thread-safe. Errors: as PairRuns.
class Pairs {
 public:
  Pairs(const Side& left, const Side& right, int64_t rows_max, Reservation& reservation)
      : rows(rows_max, reservation), left_(left), right_(right) {}

  absl::Status Both(Range left, Range right) {
    RETURN_IF_ERROR(rows.CheckRoom(left.size(), right.size()));
    repeated_left += left.size() > 1 ? 1 : 0;
    repeated_right += right.size() > 1 ? 1 : 0;
    for (size_t l = left.begin; l < left.end; ++l) {
      for (size_t r = right.begin; r < right.end; ++r) rows.left_rows.Add(left_.Row(l));
      Add(right_, right, rows.right_rows);
      RETURN_IF_ERROR(rows.Pay());
    }
    return absl::OkStatus();
  }
  absl::Status LeftOnly(Range left) {
    RETURN_IF_ERROR(rows.CheckRoom(left.size(), 1));
    Add(left_, left, rows.left_rows);
    rows.right_rows.AddRun(kNoRow, left.size());
    return rows.Pay();
  }
  absl::Status RightOnly(Range right) {
    RETURN_IF_ERROR(rows.CheckRoom(1, right.size()));
    rows.left_rows.AddRun(kNoRow, right.size());
    Add(right_, right, rows.right_rows);
    return rows.Pay();
  }
  // Those of equal keys. Requires: no key occurs twice on a side.
  absl::Status Unique(Range left, Range right) {
    size_t l = left.begin, r = right.begin;
    while (l < left.end && r < right.end) {
      const uint64_t left_key = left_.KeyAt(l), right_key = right_.KeyAt(r);
      if (left_key != right_key) {
        l += left_key < right_key ? 1 : 0;
        r += right_key < left_key ? 1 : 0;
        continue;
      }
      const size_t equal = CountEqual(left_.Keys(l), right_.Keys(r), std::min(left.end - l, right.end - r));
      RETURN_IF_ERROR(rows.CheckRoom(equal, 1));
      Add(left_, {l, l + equal}, rows.left_rows);
      Add(right_, {r, r + equal}, rows.right_rows);
      RETURN_IF_ERROR(rows.Pay());
      l += equal;
      r += equal;
    }
    return absl::OkStatus();
  }
  absl::Status Append(const Pairs& other) {
    repeated_left += other.repeated_left;
    repeated_right += other.repeated_right;
    return rows.Append(other.rows);
  }

  PairRuns rows;
  int64_t repeated_left = 0;
  int64_t repeated_right = 0;

 private:
  static void Add(const Side& side, Range places, RowRuns& rows) {
    if (side.is_sorted()) return rows.AddRun(static_cast<uint32_t>(places.begin), places.size());
    for (size_t place = places.begin; place < places.end; ++place) rows.Add(side.Row(place));
  }
  const Side& left_;
  const Side& right_;
};

// Places of both sides that hold the same keys.
struct Stretch {
  Range left;
  Range right;
};

absl::Status MatchEqual(const Side& left_side, const Side& right_side, const Stretch& stretch, JoinKind kind,
                        Pairs& pairs) {
  if (kind == JoinKind::kInner && left_side.is_unique() && right_side.is_unique()) {
    return pairs.Unique(stretch.left, stretch.right);
  }
  Runs left(left_side, stretch.left), right(right_side, stretch.right);
  while (!left.AtEnd() || !right.AtEnd()) {
    bool take_left = !left.AtEnd() && (right.AtEnd() || left.Key() <= right.Key());
    bool take_right = !right.AtEnd() && (left.AtEnd() || right.Key() <= left.Key());
    if (take_left && take_right) {
      RETURN_IF_ERROR(pairs.Both(left.run(), right.run()));
    } else if (take_left && kind != JoinKind::kInner) {
      RETURN_IF_ERROR(pairs.LeftOnly(left.run()));
    } else if (take_right && kind == JoinKind::kOuter) {
      RETURN_IF_ERROR(pairs.RightOnly(right.run()));
    }
    if (take_left) left.Next();
    if (take_right) right.Next();
  }
  return absl::OkStatus();
}

// Cuts both sides at the same keys, so that threads can match the stretches one by one; no run of equal keys is cut.
std::vector<Stretch> CutByKey(const Side& left, const Side& right) {
  constexpr size_t kPlaces = size_t{1} << 16;
  const bool by_left = left.keyed() >= right.keyed();
  const Side& larger = by_left ? left : right;
  const Side& smaller = by_left ? right : left;
  std::vector<Stretch> stretches;
  Range of_larger, of_smaller;
  while (of_larger.end < larger.keyed()) {
    of_larger.begin = of_larger.end;
    of_smaller.begin = of_smaller.end;
    of_larger.end = larger.keyed();
    of_smaller.end = smaller.keyed();
    if (const size_t cut = of_larger.begin + kPlaces; cut < larger.keyed()) {
      const uint64_t key = larger.KeyAt(cut);
      of_larger.end = larger.FirstFrom(key);
      if (of_larger.end == of_larger.begin) of_larger.end = larger.FirstBehind(key);
      if (of_larger.end < larger.keyed()) of_smaller.end = smaller.FirstFrom(larger.KeyAt(of_larger.end));
    }
    stretches.push_back(by_left ? Stretch{of_larger, of_smaller} : Stretch{of_smaller, of_larger});
  }
  return stretches;
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
std::vector<Range> RunsOf(const Side& side) {
  std::vector<Range> all;
  for (Runs runs(side, {0, side.keyed()}); !runs.AtEnd(); runs.Next()) all.push_back(runs.run());
  return all;
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

absl::Status MatchNearest(const Side& left, const Side& right, const JoinKeys& keys, const JoinKey& rule, JoinKind kind,
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

// The joined rows of both sides in order of key.
absl::Status Match(const Side& left, const Side& right, const JoinKeys& coded, const std::vector<JoinKey>& keys,
                   JoinKind kind, int64_t rows_max, Reservation& reservation, JoinResult& result) {
  const bool nearest = keys.back().nearest.has_value();
  const std::vector<Stretch> stretches = nearest ? std::vector<Stretch>() : CutByKey(left, right);
  std::vector<Pairs> parts(stretches.size(), Pairs(left, right, rows_max, reservation));
  std::vector<absl::Status> statuses(stretches.size());
  std::atomic<int64_t> rows{0};
  InParallel(stretches.size(), [&](size_t i) {
    if (rows > rows_max) return;
    statuses[i] = MatchEqual(left, right, stretches[i], kind, parts[i]);
    rows += static_cast<int64_t>(parts[i].rows.left_rows.size());
  });
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  Pairs all(left, right, rows_max, reservation);
  for (const Pairs& part : parts) RETURN_IF_ERROR(all.Append(part));
  if (nearest) RETURN_IF_ERROR(MatchNearest(left, right, coded, keys.back(), kind, all));
  // Rows without a key match nothing and come last.
  if (kind != JoinKind::kInner) RETURN_IF_ERROR(all.LeftOnly({left.keyed(), left.size()}));
  if (kind == JoinKind::kOuter) RETURN_IF_ERROR(all.RightOnly({right.keyed(), right.size()}));
  all.rows.Settle();
  result.left_rows = std::move(all.rows.left_rows);
  result.right_rows = std::move(all.rows.right_rows);
  result.repeated_left = all.repeated_left;
  result.repeated_right = all.repeated_right;
  return absl::OkStatus();
}

// A key column of the result: the value of the left row, or of the right one where there is no left.
Column KeyOfRows(const KeyColumn& left, const KeyColumn& right, const DictionaryPtr& values, const JoinResult& result) {
  BigVector<uint32_t> codes(result.left_rows.size());
  result.left_rows.ForEach([&](size_t place, uint32_t first, size_t count) {
    if (first != kNoRow) return left.CopyPlaces(first, count, codes.data() + place);
    result.right_rows.ForEachIn(place, count, [&](size_t at, uint32_t of_right, size_t length) {
      right.CopyPlaces(of_right, length, codes.data() + at);
    });
  });
  return Column::Key(left.column->name, values, std::move(codes));
}

bool IsKey(const std::vector<JoinKey>& keys, const std::string& name, std::string JoinKey::*side) {
  return std::any_of(keys.begin(), keys.end(), [&](const JoinKey& key) {
    // The time of the right is not that of the left if the nearest was taken, so both are shown.
    bool shown = key.nearest && side == &JoinKey::right;
    return !shown && (key.*side == name || BareName(key.*side) == name);
  });
}

// The rows named of a column that the table needs no more if those are all of them, as they lie.
Column TakeRows(Column& column, const RowRuns& rows) {
  const bool all = rows.runs() == 1 && !rows.some_missing() && rows.size() == column.size();
  return all ? std::move(column) : column.Gather(rows);
}

void FillTable(Table& left, Table& right, const std::vector<JoinKey>& keys, const JoinKeys& coded, JoinResult& result) {
  Table& table = result.table;
  table.rows = result.left_rows.size();
  // What makes each column; the columns are made at once, and then take their names.
  std::vector<std::function<Column()>> makers;
  for (size_t k = 0; k < keys.size(); ++k) {
    makers.push_back(
        [&, k] { return KeyOfRows(coded.left_columns[k], coded.right_columns[k], coded.values[k], result); });
  }
  for (Column& column : left.columns) {
    if (IsKey(keys, column.name, &JoinKey::left)) continue;
    makers.push_back([&] { return TakeRows(column, result.left_rows); });
  }
  const size_t first_right = makers.size();
  for (Column& column : right.columns) {
    result.right_columns.push_back(static_cast<uint32_t>(makers.size()));
    if (IsKey(keys, column.name, &JoinKey::right)) continue;
    // The key that is nearest is shown, and asked for again where rows found no partner.
    const bool kept = keys.back().nearest.has_value();
    makers.push_back(
        [&, kept] { return kept ? column.Gather(result.right_rows) : TakeRows(column, result.right_rows); });
  }
  std::vector<Column> columns(makers.size());
  InParallel(makers.size(), [&](size_t i) { columns[i] = makers[i](); });
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i >= first_right) columns[i].name = FreeName(table, columns[i].name);
    table.columns.push_back(std::move(columns[i]));
  }
}

// Brings the sides in order of key first, by their keys as numbers.
absl::Status MatchAnyOrder(JoinKeys& coded, const std::vector<JoinKey>& keys, JoinKind kind, int64_t rows_max,
                           Reservation& reservation, JoinResult& result) {
  int64_t key_bytes = static_cast<int64_t>(coded.left_rows + coded.right_rows) * kKeyBytes;
  RETURN_IF_ERROR(reservation.Grow(key_bytes));
  NumberKeys(coded);
  std::optional<Side> sides[2];
  InParallel(2, [&](size_t i) { sides[i].emplace(i == 0 ? coded.left : coded.right); });
  for (const std::optional<Side>& side : sides) {
    if (side->is_sorted()) continue;
    const int64_t sort_bytes = static_cast<int64_t>(side->size()) * kSortBytes;
    RETURN_IF_ERROR(reservation.Grow(sort_bytes));
    key_bytes += sort_bytes;
  }
  InParallel(2, [&](size_t i) { sides[i]->Sort(); });
  RETURN_IF_ERROR(Match(*sides[0], *sides[1], coded, keys, kind, rows_max, reservation, result));
  coded.left.clear();
  coded.right.clear();
  coded.left.shrink_to_fit();
  coded.right.shrink_to_fit();
  reservation.Shrink(key_bytes);
  return absl::OkStatus();
}

absl::Status MatchRows(JoinKeys& coded, const std::vector<JoinKey>& keys, JoinKind kind, int64_t rows_max,
                       Reservation& reservation, JoinResult& result) {
  const bool plain =
      std::all_of(keys.begin(), keys.end(), [](const JoinKey& key) { return key.rules == nullptr && !key.nearest; });
  if (plain) {
    ASSIGN_OR_RETURN(std::optional<PairRuns> rising, JoinRising(coded, kind, rows_max, reservation));
    if (rising) {
      rising->Settle();
      result.left_rows = std::move(rising->left_rows);
      result.right_rows = std::move(rising->right_rows);
      return absl::OkStatus();
    }
  }
  return MatchAnyOrder(coded, keys, kind, rows_max, reservation, result);
}

}  // namespace

absl::StatusOr<JoinResult> JoinTables(Table& left, Table& right, const std::vector<JoinKey>& keys, JoinKind kind,
                                      int64_t rows_max, Reservation& reservation, DictionaryMerges* merges) {
  ASSIGN_OR_RETURN(JoinKeys coded, MakeJoinKeys(left, right, keys, merges));
  JoinResult result;
  result.kinds = coded.kinds;
  result.notes = coded.notes;
  RETURN_IF_ERROR(MatchRows(coded, keys, kind, rows_max, reservation, result));
  int64_t width = 4 * static_cast<int64_t>(keys.size()) +
                  ValueColumn::kBytesPerValue * static_cast<int64_t>(left.columns.size() + right.columns.size());
  RETURN_IF_ERROR(reservation.Grow(static_cast<int64_t>(result.left_rows.size()) * width));
  FillTable(left, right, keys, coded, result);
  return result;
}

}  // namespace chartly::reporter
