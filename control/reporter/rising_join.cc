#include "control/reporter/rising_join.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "common/status/status.h"
#include "control/reporter/key_steps.h"
#include "control/reporter/parallel.h"

namespace chartly::reporter {
namespace {

struct RowRange {
  size_t begin = 0;
  size_t end = 0;
};

std::vector<const uint32_t*> CodesOfKeys(const std::vector<KeyColumn>& keys) {
  std::vector<const uint32_t*> codes;
  for (const KeyColumn& key : keys) codes.push_back(key.column->codes.data());
  return codes;
}

// Walks rows of one side, a few of which are shown at a time: where their keys lie among the values of both sides.
class Walk {
 public:
  Walk(const std::vector<KeyColumn>& keys, RowRange rows)
      : keys_(keys),
        steps_(CodesOfKeys(keys)),
        shown_(keys.size()),
        copied_(keys.size()),
        from_(rows.begin),
        at_(rows.begin),
        stop_(rows.begin),
        end_(rows.end) {}

  size_t at() const { return at_; }
  bool AtEnd() const { return at_ == end_; }
  size_t shown() const { return stop_ - at_; }
  void Skip(size_t rows) { at_ += rows; }
  const uint32_t* Places(size_t key) const { return shown_[key] + (at_ - from_); }

  // Shows further rows if none is left. False if they do not rise, or one lacks a part of its key.
  bool Show() {
    if (at_ < stop_ || AtEnd()) return true;
    from_ = at_;
    stop_ = std::min(end_, at_ + KeySteps::kAtATime);
    if (const size_t first = std::max<size_t>(from_, 1); first < stop_) {
      steps_.Compare(first, stop_);
      if (!steps_.sorted() || !steps_.distinct()) return false;
    }
    for (size_t k = 0; k < keys_.size(); ++k) {
      const uint32_t* const codes = keys_[k].column->codes.data() + from_;
      shown_[k] = codes;
      uint32_t missing = 0;
      for (size_t i = 0; i < stop_ - from_; ++i) missing |= codes[i] == kNullCode ? 1 : 0;
      if (missing != 0) return false;
      if (keys_[k].places.empty()) continue;
      copied_[k].resize(KeySteps::kAtATime);
      keys_[k].CopyPlaces(from_, stop_ - from_, copied_[k].data());
      shown_[k] = copied_[k].data();
    }
    return true;
  }

 private:
  const std::vector<KeyColumn>& keys_;
  KeySteps steps_;
  std::vector<const uint32_t*> shown_;         // by key, from from_
  std::vector<std::vector<uint32_t>> copied_;  // by key, where places are no codes
  size_t from_;
  size_t at_;
  size_t stop_;
  const size_t end_;
};

// Whether rows `first` ... of the next ones of both have the same keys, each as the other.
bool AreEqual(const Walk& left, const Walk& right, size_t keys, size_t first, size_t rows) {
  uint32_t differ = 0;
  for (size_t k = 0; k < keys; ++k) {
    const uint32_t* const a = left.Places(k) + first;
    const uint32_t* const b = right.Places(k) + first;
    for (size_t i = 0; i < rows; ++i) differ |= a[i] ^ b[i];
  }
  return differ == 0;
}

// How many of the next rows of both have the same keys.
size_t CountEqual(const Walk& left, const Walk& right, size_t keys) {
  constexpr size_t kAtATime = 16;
  const size_t most = std::min(left.shown(), right.shown());
  size_t equal = 0;
  while (equal + kAtATime <= most && AreEqual(left, right, keys, equal, kAtATime)) equal += kAtATime;
  while (equal < most && AreEqual(left, right, keys, equal, 1)) ++equal;
  return equal;
}

// Whether row i of the next ones of one has a smaller key than the next one of the other.
bool IsBelow(const Walk& one, size_t i, const Walk& other, size_t keys) {
  for (size_t k = 0; k < keys; ++k) {
    const uint32_t a = one.Places(k)[i], b = *other.Places(k);
    if (a != b) return a < b;
  }
  return false;
}

// How many of the next rows of one lie before the next one of the other.
size_t CountBelow(const Walk& one, const Walk& other, size_t keys) {
  size_t below = 0;
  while (below < one.shown() && IsBelow(one, below, other, keys)) ++below;
  return below;
}

uint32_t PlaceOf(const KeyColumn& key, size_t row) {
  uint32_t place;
  key.CopyPlaces(row, 1, &place);
  return place;
}

class RisingJoin {
 public:
  RisingJoin(const JoinKeys& keys, JoinKind kind, int64_t rows_max, Reservation& reservation)
      : keys_(keys), kind_(kind), rows_max_(rows_max), reservation_(reservation) {}

  absl::StatusOr<std::optional<PairRuns>> Run() {
    const std::vector<Stretch> stretches = Cut();
    std::vector<PairRuns> parts(stretches.size(), PairRuns(rows_max_, reservation_));
    std::vector<absl::Status> statuses(stretches.size());
    InParallel(stretches.size(), [&](size_t i) {
      if (rises_) statuses[i] = Join(stretches[i], parts[i]);
    });
    PairRuns all(rows_max_, reservation_);
    for (size_t i = 0; i < parts.size() && rises_; ++i) {
      RETURN_IF_ERROR(statuses[i]);
      RETURN_IF_ERROR(all.Append(parts[i]));
    }
    if (rises_) return std::optional<PairRuns>(std::move(all));
    for (PairRuns& part : parts) part.Drop();
    return std::nullopt;
  }

 private:
  struct Stretch {
    RowRange left;
    RowRange right;
  };

  // Cuts both sides at the same keys. Where a side does not rise it is cut anywhere, and the walk finds it out.
  std::vector<Stretch> Cut() const {
    constexpr size_t kRows = size_t{1} << 16;
    const bool by_left = keys_.left_rows >= keys_.right_rows;
    const size_t larger = by_left ? keys_.left_rows : keys_.right_rows;
    const size_t smaller = by_left ? keys_.right_rows : keys_.left_rows;
    std::vector<Stretch> stretches;
    RowRange of_larger, of_smaller;
    while (of_larger.end < larger) {
      of_larger = {of_larger.end, std::min(larger, of_larger.end + kRows)};
      of_smaller.begin = of_smaller.end;
      of_smaller.end = of_larger.end == larger ? smaller : FirstFrom(of_larger.end, by_left, of_smaller.begin, smaller);
      stretches.push_back(by_left ? Stretch{of_larger, of_smaller} : Stretch{of_smaller, of_larger});
    }
    return stretches;
  }

  // The first row of the smaller side from `begin` on whose key is not below that of a row of the larger one.
  size_t FirstFrom(size_t row_of_larger, bool by_left, size_t begin, size_t end) const {
    const std::vector<KeyColumn>& larger = by_left ? keys_.left_columns : keys_.right_columns;
    const std::vector<KeyColumn>& smaller = by_left ? keys_.right_columns : keys_.left_columns;
    auto is_below = [&](size_t row) {
      for (size_t k = 0; k < larger.size(); ++k) {
        const uint32_t a = PlaceOf(smaller[k], row), b = PlaceOf(larger[k], row_of_larger);
        if (a != b) return a < b;
      }
      return false;
    };
    while (begin < end) {
      const size_t middle = begin + (end - begin) / 2;
      if (is_below(middle)) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }

  // Leaves rises_ false if a side does not rise.
  absl::Status Join(const Stretch& stretch, PairRuns& pairs) {
    const size_t keys = keys_.left_columns.size();
    Walk left(keys_.left_columns, stretch.left), right(keys_.right_columns, stretch.right);
    while (rises_) {
      if (!left.Show() || !right.Show()) {
        rises_ = false;
      } else if (left.AtEnd() && right.AtEnd()) {
        break;
      } else if (right.AtEnd()) {
        RETURN_IF_ERROR(TakeLeft(left, left.shown(), pairs));
      } else if (left.AtEnd()) {
        RETURN_IF_ERROR(TakeRight(right, right.shown(), pairs));
      } else if (const size_t equal = CountEqual(left, right, keys); equal > 0) {
        RETURN_IF_ERROR(pairs.Add(static_cast<uint32_t>(left.at()), static_cast<uint32_t>(right.at()), equal));
        left.Skip(equal);
        right.Skip(equal);
      } else if (const size_t below = CountBelow(left, right, keys); below > 0) {
        RETURN_IF_ERROR(TakeLeft(left, below, pairs));
      } else {
        RETURN_IF_ERROR(TakeRight(right, CountBelow(right, left, keys), pairs));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeLeft(Walk& left, size_t rows, PairRuns& pairs) const {
    if (kind_ != JoinKind::kInner) RETURN_IF_ERROR(pairs.Add(static_cast<uint32_t>(left.at()), kNoRow, rows));
    left.Skip(rows);
    return absl::OkStatus();
  }
  absl::Status TakeRight(Walk& right, size_t rows, PairRuns& pairs) const {
    if (kind_ == JoinKind::kOuter) RETURN_IF_ERROR(pairs.Add(kNoRow, static_cast<uint32_t>(right.at()), rows));
    right.Skip(rows);
    return absl::OkStatus();
  }

  const JoinKeys& keys_;
  const JoinKind kind_;
  const int64_t rows_max_;
  Reservation& reservation_;
  std::atomic<bool> rises_{true};
};

}  // namespace

absl::StatusOr<std::optional<PairRuns>> JoinRising(const JoinKeys& keys, JoinKind kind, int64_t rows_max,
                                                   Reservation& reservation) {
  return RisingJoin(keys, kind, rows_max, reservation).Run();
}

}  // namespace chartly::reporter
