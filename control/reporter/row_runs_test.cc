#include "control/reporter/row_runs.h"

#include <algorithm>
#include <random>
#include <vector>

#include "test/support/test.h"

namespace chartly::reporter {
namespace {

using Places = std::vector<uint32_t>;

// Stretches of neighbours, of single rows, and of none, as joins give them.
Places SomePlaces(std::mt19937_64& random, size_t rows_of) {
  Places rows;
  for (size_t stretch = 0; stretch < 1 + random() % 12; ++stretch) {
    const auto first = static_cast<uint32_t>(random() % rows_of);
    const auto count = static_cast<uint32_t>(1 + random() % std::min<size_t>(6, rows_of - first));
    const bool none = random() % 4 == 0;
    for (uint32_t i = 0; i < count; ++i) rows.push_back(none ? kNoRow : first + i);
  }
  return rows;
}

RowRuns RunsOfPlaces(const Places& rows) {
  RowRuns runs;
  for (uint32_t row : rows) runs.Add(row);
  return runs;
}

Places PlacesIn(const RowRuns& runs, size_t begin, size_t count) {
  Places rows;
  runs.ForEachIn(begin, count, [&](size_t place, uint32_t first, size_t length) {
    CHECK(place == begin + rows.size());
    CHECK(length > 0);
    for (uint32_t i = 0; i < length; ++i) rows.push_back(first == kNoRow ? kNoRow : first + i);
  });
  return rows;
}

Places PlacesIn(const RowRuns& runs) { return PlacesIn(runs, 0, runs.size()); }

}  // namespace

TEST_CASE("runs give the rows that went in, whole and cut, and say whether some are of none") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    const Places rows = SomePlaces(random, 30);
    const RowRuns runs = RunsOfPlaces(rows);
    CHECK(PlacesIn(runs) == rows);
    CHECK(runs.some_missing() == (std::count(rows.begin(), rows.end(), kNoRow) > 0));
    const size_t begin = random() % rows.size(), count = random() % (rows.size() - begin + 1);
    const auto from = rows.begin() + static_cast<ptrdiff_t>(begin);
    CHECK(PlacesIn(runs, begin, count) == Places(from, from + static_cast<ptrdiff_t>(count)));
  }
}

TEST_CASE("rows that follow each other are one run, also where runs are put behind each other") {
  RowRuns all;
  for (uint32_t first : {0u, 100u, 200u}) {
    RowRuns part;
    part.AddRun(first, 60);
    for (uint32_t i = 60; i < 100; ++i) part.Add(first + i);
    all.Append(part);
  }
  CHECK(all.size() == 300);
  CHECK(all.runs() == 1);
  all.AddRun(kNoRow, 5);
  all.Add(kNoRow);
  CHECK(all.runs() == 2);
  CHECK(all.size() == 306);
  all.AddRun(7, 0);
  CHECK(all.runs() == 2);
}

TEST_CASE("runs through runs are what following each row gives") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 2000; ++round) {
    const Places inner = SomePlaces(random, 30), outer = SomePlaces(random, inner.size());
    Places expected;
    for (uint32_t row : outer) expected.push_back(row == kNoRow ? kNoRow : inner[row]);
    CHECK(PlacesIn(RunsOfPlaces(inner).Through(RunsOfPlaces(outer))) == expected);
  }
}

}  // namespace chartly::reporter
