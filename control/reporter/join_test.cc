#include "control/reporter/join.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "common/status/status.h"
#include "control/reporter/key_examples.h"
#include "control/reporter/key_sort.h"
#include "control/reporter/row_order.h"
#include "control/reporter/table_fixture_test.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

using Rows = std::vector<std::vector<std::string>>;

absl::StatusOr<JoinResult> Join(Table left, Table right, const std::vector<JoinKey>& keys,
                                JoinKind kind = JoinKind::kInner, int64_t rows_max = 1'000'000) {
  MemoryBudget budget(int64_t{64} << 20);
  Reservation reservation(budget);
  return JoinTables(left, right, keys, kind, rows_max, reservation);
}

JoinKey On(const char* name) { return {name, name, nullptr, {}}; }

JoinKey WithRules(const char* name, const std::vector<std::string>& calls) {
  absl::StatusOr<ValuePipeline> rules = ValuePipeline::Compile(calls);
  REQUIRE_OK(rules);
  return {name, name, std::make_shared<const ValuePipeline>(*std::move(rules)), {}};
}

Table OneKey(const std::vector<Value>& keys, const std::vector<Value>& measures, const char* measure = "m") {
  Table table = MakeTable({{"k", true, keys}, {measure, false, measures}});
  SortCanonically(table);
  return table;
}

Value RandomDim(std::mt19937_64& random) {
  int64_t number = static_cast<int64_t>(random() % 4);
  switch (random() % 6) {
    case 0:
      return Value::Integer(number);
    case 1:
      return Value::Of(Decimal{number * 100, 2});
    case 2:
      return Value::Float(static_cast<double>(number));
    case 3:
      return Value::Text(std::to_string(number));
    case 4:
      return Value::Text(std::string(static_cast<size_t>(number), '|'));
    default:
      return Value();
  }
}

struct RandomTable {
  std::vector<std::vector<Value>> keys;  // by column
  std::vector<Value> measures;
  Table table;
};

RandomTable MakeRandom(std::mt19937_64& random, size_t width, const char* measure) {
  RandomTable made;
  made.keys.resize(width);
  for (size_t i = random() % 25; i > 0; --i) {
    for (std::vector<Value>& column : made.keys) column.push_back(RandomDim(random));
    made.measures.push_back(Value::Integer(static_cast<int64_t>(random() % 1000)));
  }
  std::vector<TestColumn> columns;
  for (size_t d = 0; d < width; ++d) columns.push_back({"k" + std::to_string(d), true, made.keys[d]});
  columns.push_back({measure, false, made.measures});
  made.table = MakeTable(columns);
  return made;
}

bool Equal(const RandomTable& a, size_t i, const RandomTable& b, size_t j) {
  for (size_t d = 0; d < a.keys.size(); ++d) {
    const Value& left = a.keys[d][i];
    const Value& right = b.keys[d][j];
    if (left.is_null() || right.is_null() || CompareValues(left, right) != 0) return false;
  }
  return true;
}

// Pairs of measures that nested loops give, "-" where a side has none.
Rows NestedLoops(const RandomTable& a, const RandomTable& b, JoinKind kind) {
  Rows rows;
  std::vector<bool> used(b.measures.size(), false);
  for (size_t i = 0; i < a.measures.size(); ++i) {
    bool found = false;
    for (size_t j = 0; j < b.measures.size(); ++j) {
      if (!Equal(a, i, b, j)) continue;
      rows.push_back({a.measures[i].ToText(), b.measures[j].ToText()});
      found = used[j] = true;
    }
    if (!found && kind != JoinKind::kInner) rows.push_back({a.measures[i].ToText(), "-"});
  }
  for (size_t j = 0; j < b.measures.size() && kind == JoinKind::kOuter; ++j) {
    if (!used[j]) rows.push_back({"-", b.measures[j].ToText()});
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

TEST_CASE("a join gives what nested loops give, on random rows of all types and for every kind") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    size_t width = 1 + random() % 3;
    JoinKind kind = static_cast<JoinKind>(random() % 3);
    RandomTable left = MakeRandom(random, width, "l"), right = MakeRandom(random, width, "r");
    std::vector<JoinKey> keys;
    std::vector<std::string> names;
    for (size_t d = 0; d < width; ++d) names.push_back("k" + std::to_string(d));
    for (const std::string& name : names) keys.push_back(On(name.c_str()));
    absl::StatusOr<JoinResult> joined = Join(left.table, right.table, keys, kind);
    REQUIRE_OK(joined);
    Rows got;
    for (const std::vector<std::string>& row : Texts(joined->table)) got.push_back({row[width], row[width + 1]});
    std::sort(got.begin(), got.end());
    INFO("round " << round << " width " << width << " kind " << static_cast<int>(kind));
    CHECK(got == NestedLoops(left, right, kind));
  }
}

std::vector<uint32_t> RowsOf(const RowRuns& runs) {
  std::vector<uint32_t> rows;
  runs.ForEach([&](size_t place, uint32_t first, size_t count) {
    CHECK(place == rows.size());
    for (uint32_t i = 0; i < count; ++i) rows.push_back(first == kNoRow ? kNoRow : first + i);
  });
  CHECK(rows.size() == runs.size());
  return rows;
}

// What a join of large tables must give, by a map of all keys: the places on both sides in order of key.
void CheckByMap(const std::vector<Value>& left, const std::vector<Value>& right, JoinKind kind) {
  struct Found {
    std::vector<uint32_t> left, right;
  };
  std::map<int64_t, Found> found;
  Found without;
  auto add = [&](const std::vector<Value>& keys, std::vector<uint32_t> Found::*side) {
    for (uint32_t row = 0; row < keys.size(); ++row) {
      ((keys[row].is_null() ? without : found[keys[row].integer()]).*side).push_back(row);
    }
  };
  add(left, &Found::left);
  add(right, &Found::right);
  std::vector<uint32_t> left_rows, right_rows;
  auto pair = [&](uint32_t l, uint32_t r) {
    left_rows.push_back(l);
    right_rows.push_back(r);
  };
  int64_t repeated_left = 0;
  for (const auto& [key, rows] : found) {
    repeated_left += rows.left.size() > 1 && !rows.right.empty() ? 1 : 0;
    for (uint32_t l : rows.left) {
      for (uint32_t r : rows.right) pair(l, r);
      if (rows.right.empty() && kind != JoinKind::kInner) pair(l, kNoRow);
    }
    for (uint32_t r : rows.right) {
      if (rows.left.empty() && kind == JoinKind::kOuter) pair(kNoRow, r);
    }
  }
  for (uint32_t l : without.left) {
    if (kind != JoinKind::kInner) pair(l, kNoRow);
  }
  for (uint32_t r : without.right) {
    if (kind == JoinKind::kOuter) pair(kNoRow, r);
  }
  Table a = MakeTable({{"k", true, left}}), b = MakeTable({{"k", true, right}});
  const int64_t rows = static_cast<int64_t>(left_rows.size());
  absl::StatusOr<JoinResult> joined = Join(a, b, {On("k")}, kind, rows);
  REQUIRE_OK(joined);
  CHECK(RowsOf(joined->left_rows) == left_rows);
  CHECK(RowsOf(joined->right_rows) == right_rows);
  CHECK(joined->repeated_left == repeated_left);
  CHECK(chartly::Reason(Join(a, b, {On("k")}, kind, rows - 1).status()) == "REPORT_TOO_LARGE");
}

TEST_CASE("a join that several threads match gives what a map of all keys gives") {
  std::mt19937_64 random(5);
  const bool repeated = GENERATE(false, true);
  const bool shuffled = GENERATE(false, true);
  const JoinKind kind = GENERATE(JoinKind::kInner, JoinKind::kLeft, JoinKind::kOuter);
  std::vector<Value> left, right;
  for (int64_t i = 0; i < 150'000; ++i) left.push_back(I(2 * i));
  for (int64_t i = 0; i < 90'000; ++i) right.push_back(I(3 * i + 60'000));
  if (repeated) {
    // A run that is longer than what one thread takes, and small ones where the cuts are.
    for (int64_t i = 0; i < 70'000; ++i) left.push_back(I(90'000));
    for (int64_t i = 0; i < 40; ++i) left.push_back(I(2 * 65'536 + i / 10 * 2));
    for (int64_t i = 0; i < 40; ++i) right.push_back(I(2 * 65'536 + i / 10 * 2));
    for (int64_t i = 0; i < 3; ++i) (i < 2 ? left : right).push_back(Value());
    std::stable_sort(left.begin(), left.end(), [](const Value& a, const Value& b) {
      return a.is_null() || b.is_null() ? !a.is_null() && b.is_null() : a.integer() < b.integer();
    });
  }
  if (shuffled) std::shuffle(left.begin(), left.end(), random);
  INFO("repeated " << repeated << " shuffled " << shuffled << " kind " << static_cast<int>(kind));
  CheckByMap(left, right, kind);
}

TEST_CASE("a join of sides that share no key, or of nothing, is empty") {
  for (JoinKind kind : {JoinKind::kInner, JoinKind::kLeft, JoinKind::kOuter}) {
    Table none = OneKey({}, {}), one = OneKey({I(1)}, {I(2)}), other = OneKey({I(3)}, {I(4)});
    const size_t left = kind == JoinKind::kInner ? 0 : 1, right = kind == JoinKind::kOuter ? 1 : 0;
    CHECK(Join(none, none, {On("k")}, kind)->table.rows == 0);
    CHECK(Join(one, none, {On("k")}, kind)->table.rows == left);
    CHECK(Join(none, one, {On("k")}, kind)->table.rows == right);
    CHECK(Join(one, other, {On("k")}, kind)->table.rows == left + right);
  }
}

TEST_CASE("many wide keys do not run out of numbers") {
  // Ten keys of 1000 values are more combinations than 64 bits hold.
  std::vector<TestColumn> columns;
  std::vector<JoinKey> keys;
  std::vector<Value> values;
  for (int64_t i = 0; i < 1000; ++i) values.push_back(I(i));
  std::vector<std::string> names;
  for (int d = 0; d < 10; ++d) names.push_back("k" + std::to_string(d));
  for (const std::string& name : names) {
    columns.push_back({name, true, values});
    keys.push_back(On(name.c_str()));
    std::rotate(values.begin(), values.begin() + 7, values.end());
  }
  columns.push_back({"m", false, values});
  Table table = MakeTable(columns);
  absl::StatusOr<JoinResult> joined = Join(table, table, keys);
  REQUIRE_OK(joined);
  CHECK(joined->table.rows == 1000);
  CHECK(RowsOf(joined->left_rows) == RowsOf(joined->right_rows));
}

TEST_CASE("numbers meet by value, text never meets a number, and the answer says why") {
  absl::StatusOr<JoinResult> joined =
      Join(OneKey({I(5), T("5")}, {I(1), I(2)}), OneKey({Value::Of(Decimal{500, 2})}, {I(3)}, "r"), {On("k")});
  REQUIRE_OK(joined);
  CHECK(Texts(joined->table) == Rows{{"5", "1", "3"}});
  REQUIRE(joined->kinds.size() == 1);
  CHECK(NoteOfKinds(On("k"), joined->kinds[0]).empty());
  joined = Join(OneKey({T("5")}, {I(2)}), OneKey({I(5)}, {I(3)}, "r"), {On("k")});
  REQUIRE_OK(joined);
  CHECK(joined->table.rows == 0);
  REQUIRE(joined->kinds.size() == 1);
  CHECK(NoteOfKinds(On("k"), joined->kinds[0]).find("k holds text and k numbers") != std::string::npos);
  CHECK(NoteOfKinds(WithRules("k", {"to_text"}), joined->kinds[0]).empty());
}

TEST_CASE("keys of large and near numbers do not fall together (W5)") {
  absl::StatusOr<JoinResult> joined =
      Join(OneKey({I(9007199254740993)}, {I(1)}), OneKey({I(9007199254740992)}, {I(2)}, "r"), {On("k")});
  REQUIRE_OK(joined);
  CHECK(joined->table.rows == 0);
}

TEST_CASE("keys of several dims do not run into one another (W5)") {
  Table left = MakeTable({{"a", true, {T("a|b"), T("ab")}}, {"b", true, {T("c"), T("")}}, {"m", false, {I(1), I(2)}}});
  Table right = MakeTable({{"a", true, {T("a"), T("")}}, {"b", true, {T("b|c"), T("ab")}}, {"m", false, {I(3), I(4)}}});
  absl::StatusOr<JoinResult> joined = Join(left, right, {On("a"), On("b")});
  REQUIRE_OK(joined);
  CHECK(joined->table.rows == 0);
}

TEST_CASE("a missing key matches nothing and comes last in an outer join") {
  absl::StatusOr<JoinResult> joined = Join(OneKey({T("x"), Value()}, {I(1), I(2)}),
                                           OneKey({T("x"), Value()}, {I(3), I(4)}, "r"), {On("k")}, JoinKind::kOuter);
  REQUIRE_OK(joined);
  CHECK(Texts(joined->table) == Rows{{"x", "1", "3"}, {"-", "2", "-"}, {"-", "-", "4"}});
}

TEST_CASE("rules give keys of both sides one form") {
  absl::StatusOr<JoinResult> joined = Join(OneKey({T(" 1001"), I(13213), T("Ab")}, {I(1), I(2), I(3)}),
                                           OneKey({T("01001"), T("13213")}, {I(4), I(5)}, "r"),
                                           {WithRules("k", {"trim", "pad_left 5 0"})}, JoinKind::kLeft);
  REQUIRE_OK(joined);
  CHECK(Texts(joined->table) == Rows{{"000Ab", "3", "-"}, {"01001", "1", "4"}, {"13213", "2", "5"}});
  joined = Join(OneKey({T("France")}, {I(1)}), OneKey({T("FRANCE")}, {I(2)}, "r"), {WithRules("k", {"lower"})});
  REQUIRE_OK(joined);
  CHECK(Texts(joined->table) == Rows{{"france", "1", "2"}});
}

TEST_CASE("a value that a rule refuses matches nothing and is told") {
  absl::StatusOr<JoinResult> joined = Join(OneKey({T("12"), T("n/a")}, {I(1), I(2)}), OneKey({I(12)}, {I(3)}, "r"),
                                           {WithRules("k", {"to_integer"})}, JoinKind::kLeft);
  REQUIRE_OK(joined);
  CHECK(Texts(joined->table) == Rows{{"12", "1", "3"}, {"-", "2", "-"}});
  REQUIRE(joined->notes.size() == 1);
  CHECK(joined->notes[0].find("1 values of k do not fit its rules") != std::string::npos);
}

TEST_CASE("the nearest is what a search over all gives, within the tolerance, the earlier of two") {
  std::mt19937_64 random(9);
  for (int round = 0; round < 200; ++round) {
    JoinKind kind = static_cast<JoinKind>(random() % 3);
    std::vector<Value> ids[2], times[2], measures[2];
    for (int side = 0; side < 2; ++side) {
      for (size_t i = random() % 12; i > 0; --i) {
        ids[side].push_back(I(static_cast<int64_t>(random() % 2)));
        times[side].push_back(Value::Of(Timestamp{static_cast<int64_t>(random() % 20) * 1'000'000, 0}));
        measures[side].push_back(I(static_cast<int64_t>(1000 * side + measures[side].size())));
      }
    }
    Table left = MakeTable({{"id", true, ids[0]}, {"t", true, times[0]}, {"l", false, measures[0]}});
    Table right = MakeTable({{"id", true, ids[1]}, {"t", true, times[1]}, {"r", false, measures[1]}});
    JoinKey nearest = On("t");
    nearest.nearest = JoinKey::Nearest{0, 3'000'000, true};
    absl::StatusOr<JoinResult> joined = Join(left, right, {On("id"), nearest}, kind);
    REQUIRE_OK(joined);
    Rows expected;
    std::vector<bool> used(measures[1].size(), false);
    for (size_t i = 0; i < measures[0].size(); ++i) {
      std::optional<std::pair<int64_t, int64_t>> best;  // distance, time
      int64_t at = times[0][i].timestamp().micros;
      for (size_t j = 0; j < measures[1].size(); ++j) {
        int64_t other = times[1][j].timestamp().micros;
        std::pair<int64_t, int64_t> offer = {std::abs(other - at), other};
        if (ids[0][i] == ids[1][j] && offer.first <= 3'000'000 && (!best || offer < *best)) best = offer;
      }
      for (size_t j = 0; best && j < measures[1].size(); ++j) {
        if (!(ids[0][i] == ids[1][j]) || times[1][j].timestamp().micros != best->second) continue;
        expected.push_back({measures[0][i].ToText(), measures[1][j].ToText()});
        used[j] = true;
      }
      if (!best && kind != JoinKind::kInner) expected.push_back({measures[0][i].ToText(), "-"});
    }
    for (size_t j = 0; j < used.size() && kind == JoinKind::kOuter; ++j) {
      if (!used[j]) expected.push_back({"-", measures[1][j].ToText()});
    }
    Rows got;
    for (const std::vector<std::string>& row : Texts(joined->table)) got.push_back({row[2], row[4]});
    std::sort(got.begin(), got.end());
    std::sort(expected.begin(), expected.end());
    INFO("round " << round);
    CHECK(got == expected);
  }
}

TEST_CASE("nearest needs times for a length of time") {
  JoinKey nearest = On("k");
  nearest.nearest = JoinKey::Nearest{0, 1, true};
  absl::Status status = Join(OneKey({T("2024-01")}, {I(1)}), OneKey({T("2024-02")}, {I(2)}, "r"), {nearest}).status();
  CHECK(chartly::Reason(status) == "REPORT_FIELD_INVALID");
  CHECK(std::string(status.message()).find("\"2024-01\" is text") != std::string::npos);
}

TEST_CASE("a table in canonical order does not depend on how its rows came in") {
  std::vector<Value> keys = {I(7), I(3), I(11), I(1), I(9), I(3), Value(), I(3)};
  std::vector<Value> measures = {I(7), I(3), I(11), I(1), I(9), I(2), I(0), Cents(200)};
  Rows first;
  for (int round = 0; round < 8; ++round) {
    Rows texts = Texts(OneKey(keys, measures));
    if (round == 0) first = texts;
    CHECK(texts == first);
    std::rotate(keys.begin(), keys.begin() + 1, keys.end());
    std::rotate(measures.begin(), measures.begin() + 1, measures.end());
  }
  CHECK(first ==
        Rows{{"1", "1"}, {"3", "2"}, {"3", "2.00"}, {"3", "3"}, {"7", "7"}, {"9", "9"}, {"11", "11"}, {"-", "0"}});
}

TEST_CASE("a join over its row limit is refused before its rows are made") {
  std::vector<Value> keys(10, I(1)), measures(10, I(2));
  absl::Status status =
      Join(OneKey(keys, measures), OneKey(keys, measures, "r"), {On("k")}, JoinKind::kInner, /*rows_max=*/99).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(chartly::Reason(status) == "REPORT_TOO_LARGE");
}

TEST_CASE("a join over its memory is refused and gives the memory back") {
  std::vector<Value> keys(2000, I(1)), measures(2000, I(2));
  Table table = OneKey(keys, measures);
  MemoryBudget budget(1 << 20);
  {
    Reservation reservation(budget);
    absl::Status status = JoinTables(table, table, {On("k")}, JoinKind::kInner, 10'000'000, reservation).status();
    CHECK(chartly::Reason(status) == "REPORT_TOO_LARGE");
    CHECK(budget.used() <= budget.limit());
  }
  CHECK(budget.used() == 0);
}

TEST_CASE("a value column gives back exactly what was added") {
  std::vector<Value> values = {I(-9223372036854775807 - 1),
                               Cents(-1250),
                               F(0.1),
                               Value::Of(Decimal{absl::MakeInt128(5, 0), 3}),
                               T("x"),
                               Value()};
  for (int round = 0; round < 6; ++round) {
    ValueColumn column, copy;
    for (const Value& value : values) column.Add(value);
    for (size_t i = 0; i < values.size(); ++i) copy.AddFrom(column, i);
    for (size_t i = 0; i < values.size(); ++i) {
      CHECK(column.Get(i) == values[i]);
      CHECK(copy.Get(i) == values[i]);
    }
    std::rotate(values.begin(), values.begin() + 1, values.end());
  }
}

TEST_CASE("the radix sort is stable and gives what a comparing sort gives") {
  std::mt19937_64 random(21);
  for (size_t size : {size_t{0}, size_t{1}, size_t{5}, size_t{3000}, size_t{5000}, size_t{150'000}}) {
    for (uint64_t mask : {uint64_t{3}, uint64_t{0xFFFFF}, ~uint64_t{0}, uint64_t{0xFF} << 40}) {
      BigVector<uint64_t> keys(size);
      for (uint64_t& key : keys) key = random() & mask;
      BigVector<uint32_t> order = SortedByKey(keys);
      BigVector<uint32_t> expected(size);
      for (uint32_t i = 0; i < size; ++i) expected[i] = i;
      std::stable_sort(expected.begin(), expected.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
      CHECK(order == expected);
    }
  }
}

TEST_CASE("the examples of keys without a partner are the first few in order, each once") {
  KeyExamples examples(1);
  for (int64_t i = 30; i > 0; --i) {
    examples.Offer([&](size_t) { return I(i % 15); });
  }
  CHECK(examples.Texts() == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

}  // namespace chartly::reporter
