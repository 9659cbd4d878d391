#include "control/reporter/join.h"

#include <algorithm>
#include <random>
#include <vector>

#include "common/status/status.h"
#include "control/reporter/field_reader.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

using Key = std::vector<Value>;

struct InputRow {
  Key key;
  Value measure;
};

absl::Status AddRow(Join& join, size_t side, const InputRow& row) {
  std::string bytes;
  bool has_null = false;
  for (const Value& value : row.key) {
    if (value.is_null()) {
      has_null = true;
      bytes.append(4, '\0');
    } else {
      AppendKeyPart(value, bytes);
    }
  }
  return join.Add(
      side, bytes, has_null, [&](size_t d) { return row.key[d]; }, row.measure);
}

// What a test looks at: the texts of keys and measures of every joined row.
std::vector<std::vector<std::string>> Texts(const Join& join, size_t width) {
  std::vector<std::vector<std::string>> rows;
  join.Visit([&](uint32_t key, const std::vector<uint32_t>& places) {
    std::vector<std::string> row;
    for (size_t d = 0; d < width; ++d) row.push_back(join.KeyValue(key, d).ToText());
    for (size_t s = 0; s < places.size(); ++s) row.push_back(join.Measure(s, places[s]).ToText());
    rows.push_back(std::move(row));
    return true;
  });
  return rows;
}

struct Fixture {
  explicit Fixture(size_t sides, size_t width, int64_t max_rows = 1000, int64_t bytes = 64 << 20)
      : budget(bytes), reservation(budget), join(sides, width, max_rows, reservation) {}
  MemoryBudget budget;
  Reservation reservation;
  Join join;
};

bool EqualByValue(const Key& a, const Key& b) {
  for (size_t d = 0; d < a.size(); ++d) {
    if (a[d].is_null() || b[d].is_null() || CompareValues(a[d], b[d]) != 0) return false;
  }
  return true;
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

}  // namespace

TEST_CASE("a join gives what nested loops give, on random rows of all types") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 150; ++round) {
    size_t sides = 2 + random() % 2;
    size_t width = 1 + random() % 2;
    std::vector<std::vector<InputRow>> input(sides);
    Fixture fixture(sides, width, 1'000'000);
    for (size_t s = 0; s < sides; ++s) {
      for (size_t i = random() % 25; i > 0; --i) {
        InputRow row{{}, Value::Integer(static_cast<int64_t>(random() % 1000))};
        for (size_t d = 0; d < width; ++d) row.key.push_back(RandomDim(random));
        REQUIRE_OK(AddRow(fixture.join, s, row));
        input[s].push_back(std::move(row));
      }
    }
    REQUIRE_OK(fixture.join.Finish());

    std::vector<std::vector<std::string>> expected;  // measures only: keys print as side 0 wrote them first
    for (const InputRow& a : input[0]) {
      for (const InputRow& b : input[1]) {
        if (!EqualByValue(a.key, b.key)) continue;
        if (sides == 2) expected.push_back({a.measure.ToText(), b.measure.ToText()});
        for (size_t c = 0; sides == 3 && c < input[2].size(); ++c) {
          if (EqualByValue(a.key, input[2][c].key)) {
            expected.push_back({a.measure.ToText(), b.measure.ToText(), input[2][c].measure.ToText()});
          }
        }
      }
    }
    std::vector<std::vector<std::string>> got = Texts(fixture.join, 0);
    std::sort(got.begin(), got.end());
    std::sort(expected.begin(), expected.end());
    CHECK(got == expected);
    CHECK(fixture.join.rows() == static_cast<int64_t>(expected.size()));

    for (size_t s = 0; s < sides; ++s) {
      int64_t unmatched = 0;
      for (const InputRow& row : input[s]) {
        bool everywhere = true;
        for (const std::vector<InputRow>& other : input) {
          everywhere &=
              std::any_of(other.begin(), other.end(), [&](const InputRow& o) { return EqualByValue(o.key, row.key); });
        }
        unmatched += everywhere ? 0 : 1;
      }
      CHECK(fixture.join.side(s).unmatched == unmatched);
      CHECK(fixture.join.side(s).unmatched_examples.empty() == (unmatched == 0));
    }
  }
}

TEST_CASE("numbers meet by value, text never meets a number") {
  Fixture fixture(2, 1);
  REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Integer(5)}, Value::Integer(1)}));
  REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Text("5")}, Value::Integer(2)}));
  REQUIRE_OK(AddRow(fixture.join, 1, {{Value::Of(Decimal{500, 2})}, Value::Integer(3)}));
  REQUIRE_OK(fixture.join.Finish());
  CHECK(Texts(fixture.join, 1) == std::vector<std::vector<std::string>>{{"5", "1", "3"}});
  CHECK(fixture.join.side(0).unmatched == 1);
}

TEST_CASE("keys of large and near numbers do not fall together (W5)") {
  Fixture fixture(2, 1);
  REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Integer(9007199254740993)}, Value::Integer(1)}));
  REQUIRE_OK(AddRow(fixture.join, 1, {{Value::Integer(9007199254740992)}, Value::Integer(2)}));
  REQUIRE_OK(fixture.join.Finish());
  CHECK(fixture.join.rows() == 0);
  CHECK(fixture.join.side(0).unmatched_examples == std::vector<std::string>{"9007199254740993"});
  CHECK(fixture.join.side(1).unmatched_examples == std::vector<std::string>{"9007199254740992"});
}

TEST_CASE("keys of several dims do not run into one another (W5)") {
  Fixture fixture(2, 2);
  REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Text("a|b"), Value::Text("c")}, Value::Integer(1)}));
  REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Text("ab"), Value::Text("")}, Value::Integer(2)}));
  REQUIRE_OK(AddRow(fixture.join, 1, {{Value::Text("a"), Value::Text("b|c")}, Value::Integer(3)}));
  REQUIRE_OK(AddRow(fixture.join, 1, {{Value::Text(""), Value::Text("ab")}, Value::Integer(4)}));
  REQUIRE_OK(fixture.join.Finish());
  CHECK(fixture.join.rows() == 0);
}

TEST_CASE("a record that lacks a join dim matches nothing and is counted") {
  Fixture fixture(2, 2);
  REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Text("x"), Value()}, Value::Integer(1)}));
  REQUIRE_OK(AddRow(fixture.join, 1, {{Value::Text("x"), Value()}, Value::Integer(2)}));
  REQUIRE_OK(fixture.join.Finish());
  CHECK(fixture.join.rows() == 0);
  CHECK(fixture.join.side(0).unmatched == 1);
  CHECK(fixture.join.side(1).unmatched_examples == std::vector<std::string>{"x / (none)"});
}

TEST_CASE("rows come in order of key whatever order they arrived in") {
  std::vector<InputRow> rows;
  for (int64_t i : {7, 3, 11, 1, 9}) rows.push_back({{Value::Integer(i)}, Value::Integer(i)});
  rows.push_back({{Value::Integer(3)}, Value::Integer(2)});
  std::vector<std::vector<std::string>> first;
  for (int round = 0; round < 5; ++round) {
    Fixture fixture(1, 1);
    for (const InputRow& row : rows) REQUIRE_OK(AddRow(fixture.join, 0, row));
    REQUIRE_OK(fixture.join.Finish());
    if (round == 0) first = Texts(fixture.join, 1);
    CHECK(Texts(fixture.join, 1) == first);
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
  }
  CHECK(first == std::vector<std::vector<std::string>>{
                     {"1", "1"}, {"3", "2"}, {"3", "3"}, {"7", "7"}, {"9", "9"}, {"11", "11"}});
}

TEST_CASE("a join over its row limit is refused before its rows are made") {
  Fixture fixture(2, 1, /*max_rows=*/99);
  for (int i = 0; i < 10; ++i) {
    REQUIRE_OK(AddRow(fixture.join, 0, {{Value::Integer(1)}, Value::Integer(i)}));
    REQUIRE_OK(AddRow(fixture.join, 1, {{Value::Integer(1)}, Value::Integer(i)}));
  }
  absl::Status status = fixture.join.Finish();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(chartly::Reason(status) == "REPORT_TOO_LARGE");
}

TEST_CASE("a join over its memory is refused and gives the memory back") {
  MemoryBudget budget(1 << 20);
  {
    Reservation reservation(budget);
    Join join(2, 1, 1'000'000, reservation);
    absl::Status status;
    int added = 0;
    for (; added < 1'000'000 && status.ok(); ++added) {
      status = AddRow(join, 0, {{Value::Integer(added)}, Value::Integer(1)});
    }
    CHECK(chartly::Reason(status) == "REPORT_TOO_LARGE");
    CHECK(added > 1000);
    CHECK(budget.used() <= budget.limit());
  }
  CHECK(budget.used() == 0);
}

TEST_CASE("a value column gives back exactly what was added") {
  std::vector<Value> values = {Value::Integer(-9223372036854775807 - 1),
                               Value::Of(Decimal{-1250, 2}),
                               Value::Float(0.1),
                               Value::Of(Decimal{absl::MakeInt128(5, 0), 3}),
                               Value::Text("x"),
                               Value()};
  ValueColumn column;
  for (const Value& value : values) column.Add(value);
  for (size_t i = 0; i < values.size(); ++i) CHECK(column.Get(i) == values[i]);
}

}  // namespace chartly::reporter
