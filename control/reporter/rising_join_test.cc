#include "control/reporter/rising_join.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "common/status/status.h"
#include "control/reporter/table_fixture_test.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

const std::vector<JoinKey> kKeys = {{"a", "a", nullptr, {}}, {"b", "b", nullptr, {}}};

// Rows of keys (a, b) in order, each once, of which one in `skip` is left out.
Table Rising(std::mt19937_64& random, int64_t first, int64_t count, uint64_t skip, const char* measure) {
  std::vector<Value> a, b, m;
  for (int64_t i = first; i < first + count; ++i) {
    if (skip > 0 && random() % skip == 0) continue;
    a.push_back(I(i / 700));
    b.push_back(I(i % 700));
    m.push_back(I(i));
  }
  return MakeTable({{"a", true, a}, {"b", true, b}, {measure, false, m}});
}

Table Shuffled(std::mt19937_64& random, const Table& table) {
  std::vector<uint32_t> rows(table.rows);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint32_t>(i);
  std::shuffle(rows.begin(), rows.end(), random);
  return table.Gather(rows);
}

// Whether a join of theirs can go by the codes as they lie.
bool Rise(const Table& left, const Table& right, JoinKind kind) {
  MemoryBudget budget(int64_t{64} << 20);
  Reservation reservation(budget);
  absl::StatusOr<JoinKeys> keys = MakeJoinKeys(left, right, kKeys, nullptr);
  REQUIRE_OK(keys);
  absl::StatusOr<std::optional<PairRuns>> joined = JoinRising(*keys, kind, 1'000'000, reservation);
  REQUIRE_OK(joined);
  if (joined->has_value()) (*joined)->Settle();
  CHECK((joined->has_value() || reservation.needed() == 0));
  return joined->has_value();
}

std::vector<std::vector<std::string>> Joined(Table left, Table right, JoinKind kind) {
  MemoryBudget budget(int64_t{256} << 20);
  Reservation reservation(budget);
  absl::StatusOr<JoinResult> joined = JoinTables(left, right, kKeys, kind, 1'000'000, reservation);
  REQUIRE_OK(joined);
  CHECK(joined->repeated_left + joined->repeated_right == 0);
  return Texts(joined->table);
}

}  // namespace

TEST_CASE("sides whose rows rise by key join as they do in any other order, for every kind") {
  std::mt19937_64 random(51);
  for (int round = 0; round < 60; ++round) {
    const int64_t count = static_cast<int64_t>(random() % (round % 10 == 0 ? 150'000 : 5000));
    const uint64_t skips[] = {0, 2, 50, 3000};
    const Table left = Rising(random, static_cast<int64_t>(random() % 2000), count, skips[random() % 4], "l");
    const Table right = Rising(random, static_cast<int64_t>(random() % 2000), count, skips[random() % 4], "r");
    const auto kind = static_cast<JoinKind>(random() % 3);
    INFO("round " << round << ", kind " << static_cast<int>(kind) << ", " << left.rows << " and " << right.rows);
    REQUIRE(Rise(left, right, kind));
    REQUIRE(Joined(left, right, kind) == Joined(Shuffled(random, left), Shuffled(random, right), kind));
  }
}

TEST_CASE("a side that does not rise is found out wherever that is, and what was taken is given back") {
  std::mt19937_64 random(52);
  const Table good = Rising(random, 0, 140'000, 0, "l");
  for (const size_t at : {size_t{0}, size_t{1023}, size_t{1024}, size_t{65535}, size_t{65536}, size_t{139'998}}) {
    INFO("row " << at);
    Table swapped = good, twice = good, lacking = good;
    for (Column& column : swapped.columns) {
      if (column.is_key) std::swap(column.codes[at], column.codes[at + 1]);
    }
    for (Column& column : twice.columns) {
      if (column.is_key) column.codes[at + 1] = column.codes[at];
    }
    lacking.columns[1].codes[at] = kNullCode;
    for (const Table* bad : {&swapped, &twice, &lacking}) {
      CHECK_FALSE(Rise(*bad, good, JoinKind::kInner));
      CHECK_FALSE(Rise(good, *bad, JoinKind::kOuter));
    }
  }
  CHECK(Rise(good, good, JoinKind::kInner));
}

TEST_CASE("a join of rising sides keeps within its rows and its memory") {
  std::mt19937_64 random(53);
  const Table table = Rising(random, 0, 100'000, 0, "l");
  absl::StatusOr<JoinKeys> keys = MakeJoinKeys(table, table, kKeys, nullptr);
  REQUIRE_OK(keys);
  MemoryBudget budget(int64_t{64} << 20), none(16);
  Reservation reservation(budget), nothing(none);
  CHECK(chartly::Reason(JoinRising(*keys, JoinKind::kInner, 99'999, reservation).status()) == "REPORT_TOO_LARGE");
  CHECK(chartly::Reason(JoinRising(*keys, JoinKind::kInner, 100'000, nothing).status()) == "REPORT_TOO_LARGE");
}

}  // namespace chartly::reporter
