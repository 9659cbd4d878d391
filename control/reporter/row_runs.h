// Which row of a table each row of a joined one comes from, as runs of rows that follow each other: tables whose keys
// are alike join in few of them, which are then copied as they lie. At worst each row is a run of its own.
//
// Not thread-safe. Header only.
#ifndef CHARTLY_CONTROL_REPORTER_ROW_RUNS_H_
#define CHARTLY_CONTROL_REPORTER_ROW_RUNS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "control/reporter/big_vector.h"

namespace chartly::reporter {

// A row that is not there: its values are null.
inline constexpr uint32_t kNoRow = 0xFFFFFFFF;

class RowRuns {
 public:
  static constexpr int64_t kBytesPerRun = 8;

  // The next row of the result comes from this one; kNoRow if from none.
  void Add(uint32_t row) { AddRun(row, 1); }
  // As Add of each; all of them come from none if `first` is kNoRow.
  void AddRun(uint32_t first, size_t count) {
    if (count == 0) return;
    if (runs_.empty() || first != next_) runs_.push_back({static_cast<uint32_t>(size_), first});
    size_ += count;
    next_ = first == kNoRow ? kNoRow : first + static_cast<uint32_t>(count);
    some_missing_ = some_missing_ || first == kNoRow;
  }
  void Append(const RowRuns& other) {
    other.ForEach([&](size_t, uint32_t first, size_t count) { AddRun(first, count); });
  }

  size_t size() const { return size_; }  // rows of the result
  size_t runs() const { return runs_.size(); }
  // Whether some row comes from none.
  bool some_missing() const { return some_missing_; }
  // Calls `take(place, first, count)` for each run in order: rows place ... of the result come from first ...
  template <typename Take>
  void ForEach(Take&& take) const {
    ForEachIn(0, size_, take);
  }
  // The same for `count` rows of the result, cutting runs where they reach beyond.
  template <typename Take>
  void ForEachIn(size_t begin, size_t count, Take&& take) const {
    const size_t end = begin + count;
    for (size_t i = begin == 0 ? 0 : RunOf(begin); begin < end; ++i) {
      const size_t stop = std::min(end, i + 1 < runs_.size() ? runs_[i + 1].place : size_);
      const Run& run = runs_[i];
      take(begin, run.first == kNoRow ? kNoRow : run.first + static_cast<uint32_t>(begin - run.place), stop - begin);
      begin = stop;
    }
  }
  // Where the rows of a further result come from, whose rows `rows` says by those of this one.
  RowRuns Through(const RowRuns& rows) const {
    RowRuns out;
    rows.ForEach([&](size_t, uint32_t first, size_t count) {
      if (first == kNoRow) return out.AddRun(kNoRow, count);
      ForEachIn(first, count, [&](size_t, uint32_t own, size_t length) { out.AddRun(own, length); });
    });
    return out;
  }

 private:
  struct Run {
    uint32_t place;  // of its first row in the result
    uint32_t first;  // the row that one comes from; kNoRow: all come from none
  };
  static_assert(sizeof(Run) == kBytesPerRun);
  size_t RunOf(size_t place) const {
    const auto behind = std::upper_bound(runs_.begin(), runs_.end(), place,
                                         [](size_t wanted, const Run& run) { return wanted < run.place; });
    return static_cast<size_t>(behind - runs_.begin()) - 1;
  }

  BigVector<Run> runs_;
  size_t size_ = 0;
  uint32_t next_ = 0;  // the row that would continue the last run
  bool some_missing_ = false;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_ROW_RUNS_H_
