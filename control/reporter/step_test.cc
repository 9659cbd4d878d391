#include "control/reporter/step.h"

#include <map>
#include <random>
#include <tuple>

#include "common/status/status.h"
#include "control/reporter/correlation.h"
#include "control/reporter/step_names.h"
#include "control/reporter/step_runner.h"
#include "control/reporter/table_fixture_test.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

using Rows = std::vector<std::vector<std::string>>;

absl::StatusOr<Table> RunAll(Table table, const std::vector<std::string>& texts,
                             std::vector<std::string>* warnings = nullptr) {
  std::vector<Step> steps;
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(Step step, ParseStep(text));
    steps.push_back(std::move(step));
  }
  MemoryBudget budget(int64_t{64} << 20);
  Reservation reservation(budget);
  std::vector<std::string> ignored;
  RETURN_IF_ERROR(RunSteps(steps, reservation, table, warnings == nullptr ? ignored : *warnings));
  return table;
}

// Two countries over three years; one figure is missing.
Table Countries() {
  return MakeTable({{"geo", true, {T("de"), T("de"), T("de"), T("fr"), T("fr"), T("fr")}},
                    {"year", true, {I(2012), I(2013), I(2014), I(2012), I(2013), I(2014)}},
                    {"gdp", false, {Cents(100), Cents(150), Cents(300), I(10), Value(), I(40)}},
                    {"people", false, {I(2), I(2), I(3), I(5), I(5), I(8)}}});
}

Rows After(const std::vector<std::string>& steps) {
  absl::StatusOr<Table> table = RunAll(Countries(), steps);
  REQUIRE_OK(table);
  return Texts(*table);
}

}  // namespace

TEST_CASE("sums keep all digits and means are of what is there") {
  CHECK(
      After(
          {"group by geo: sum(gdp) as gdp, mean(gdp), count(gdp), count(), min(gdp), max(people), distinct(people)"}) ==
      Rows{{"de", "5.50", "1.8333333333333333", "3", "3", "1.00", "3", "2"},
           {"fr", "50", "25", "2", "3", "10", "8", "2"}});
  CHECK(After({"group: sum(gdp), count()"}) == Rows{{"55.50", "6"}});
  CHECK(After({"filter geo = \"xx\"", "group: sum(gdp), count()"}) == Rows{{"-", "0"}});
}

TEST_CASE("quantiles lie between the nearest values, and the spread is that of a sample") {
  Table table = MakeTable({{"x", false, {I(1), I(2), I(3), I(10), Value(), T("n/a")}}});
  absl::StatusOr<Table> out =
      RunAll(table, {"group: median(x), quantile(x, 0.25), quantile(x, 1), stddev(x), first(x), last(x)"});
  REQUIRE_OK(out);
  CHECK(Texts(*out) == Rows{{"2.5", "1.75", "10", "4.08248290463863", "1", "n/a"}});
}

TEST_CASE("coefficients of groups are those of the rows of each group alone") {
  std::mt19937_64 random(8);
  std::vector<Value> geos, xs, ys;
  std::map<int64_t, std::pair<NumberColumn, NumberColumn>> pairs;
  auto odd = [&](Value value) {
    switch (random() % 9) {
      case 0:
        return Value();
      case 1:
        return T("n/a");
      default:
        return value;
    }
  };
  for (int i = 0; i < 4000; ++i) {
    const int64_t geo = static_cast<int64_t>(random() % 37);
    geos.push_back(I(geo));
    xs.push_back(odd(geo % 2 == 0 ? F(static_cast<double>(random() % 50) / 7) : I(static_cast<int64_t>(random() % 9))));
    ys.push_back(odd(geo % 3 == 0 ? Cents(static_cast<int64_t>(random() % 5)) : F(static_cast<double>(random() % 90))));
    if (!xs.back().is_number() || !ys.back().is_number()) continue;
    pairs[geo].first.Add(xs.back());
    pairs[geo].second.Add(ys.back());
  }
  for (const auto& [geo, x, y] : {std::tuple{I(100), F(1), F(2)}, std::tuple{I(101), F(1), F(2)},
                                  std::tuple{I(101), F(1), F(3)}, std::tuple{Value(), F(2), F(3)}}) {
    geos.push_back(geo);
    xs.push_back(x);
    ys.push_back(y);
  }
  absl::StatusOr<Table> out = RunAll(MakeTable({{"geo", true, geos}, {"x", false, xs}, {"y", false, ys}}),
                                     {"group by geo: pearson(x, y), spearman(x, y) as rho"});
  REQUIRE_OK(out);
  REQUIRE(out->rows == pairs.size() + 3);
  CHECK(out->columns[1].name == "pearson_x_y");
  for (size_t row = 0; row < pairs.size(); ++row) {
    const auto& [x, y] = pairs[out->columns[0].Get(row).integer()];
    CHECK(out->columns[1].Get(row) == Value::Float(*Pearson(x, y)));
    CHECK(out->columns[2].Get(row) == Value::Float(*Spearman(x, y)));
  }
  // One pair, a constant side, and one pair of rows without a key.
  for (size_t row = pairs.size(); row < out->rows; ++row) {
    CHECK(out->columns[1].IsNull(row));
    CHECK(out->columns[2].IsNull(row));
  }
}

TEST_CASE("sums past 64 bits and of a small spread far from zero are exact") {
  Table table = MakeTable(
      {{"x", false, {I(9223372036854775807), I(9223372036854775807), I(3)}}, {"y", false, {F(1e16), F(1), F(-1e16)}}});
  absl::StatusOr<Table> out = RunAll(table, {"group: sum(x), sum(y)"});
  REQUIRE_OK(out);
  CHECK(Texts(*out) == Rows{{"18446744073709551617", "1"}});
}

TEST_CASE("times fall into calendar units and fixed lengths") {
  auto at = [](const char* text) { return Value::Of(*ParseTimestamp(text)); };
  Table table = MakeTable({{"t",
                            true,
                            {at("2023-12-31T23:59:59Z"), at("2024-01-01T00:00:00Z"), at("2024-02-29T13:44:00Z"),
                             at("2024-01-01T00:30:00+01:00")}},
                           {"x", false, {I(1), I(2), I(4), I(8)}}});
  auto grouped = [&](const std::string& key) {
    absl::StatusOr<Table> out = RunAll(table, {"group by " + key + ": sum(x)"});
    REQUIRE_OK(out);
    return Texts(*out);
  };
  CHECK(grouped("year(t)") == Rows{{"2023", "9"}, {"2024", "6"}});
  CHECK(grouped("quarter(t)") == Rows{{"2023-Q4", "9"}, {"2024-Q1", "6"}});
  CHECK(grouped("month(t) as m") == Rows{{"2023-12", "9"}, {"2024-01", "2"}, {"2024-02", "4"}});
  CHECK(grouped("week(t)") == Rows{{"2023-12-25", "9"}, {"2024-01-01", "2"}, {"2024-02-26", "4"}});
  CHECK(grouped("day(t)") == Rows{{"2023-12-31", "9"}, {"2024-01-01", "2"}, {"2024-02-29", "4"}});
  CHECK(grouped("hour(t)") ==
        Rows{{"2023-12-31T23:00:00Z", "9"}, {"2024-01-01T00:00:00Z", "2"}, {"2024-02-29T13:00:00Z", "4"}});
  CHECK(grouped("every(t, 15m)") == Rows{{"2023-12-31T23:30:00Z", "8"},
                                         {"2023-12-31T23:45:00Z", "1"},
                                         {"2024-01-01T00:00:00Z", "2"},
                                         {"2024-02-29T13:30:00Z", "4"}});
  Table months = MakeTable({{"m", true, {T("2024-01"), T("2024-04"), T("odd")}}, {"x", false, {I(1), I(2), I(4)}}});
  absl::StatusOr<Table> out = RunAll(months, {"group by year(m): count(), sum(x)"});
  REQUIRE_OK(out);
  CHECK(Texts(*out) == Rows{{"2024", "2", "3"}, {"-", "1", "4"}});
}

TEST_CASE("derived measures are computed row by row and lack what they need") {
  CHECK(After({"derive per_head = gdp / people * 2 ^ 2 - (1 + 1)", "select per_head"}) ==
        Rows{{"0"}, {"1"}, {"2"}, {"6"}, {"-"}, {"18"}});
  CHECK(After({"derive x = people / (year - 2013)", "select x", "filter x is null", "group: count()"}) == Rows{{"2"}});
  CHECK(After({"derive x = coalesce(gdp, -1) + max(people, 4) + sqrt(-people)", "group: count(x)"}) == Rows{{"0"}});
  CHECK(After({"derive `per-head` = abs(-people)", "filter `per-head` = 8", "select `per-head`"}) == Rows{{"8"}});
}

TEST_CASE("windows look at other rows of their partition in order") {
  CHECK(After({"window l = lag(gdp) over geo by year", "window c = change(gdp) over geo by year",
               "window p = percent_change(people, 2) over geo by year", "select l, c, p"}) ==
        Rows{{"-", "-", "-"},
             {"1.00", "0.50", "-"},
             {"1.50", "1.50", "50"},
             {"-", "-", "-"},
             {"10", "-", "-"},
             {"-", "-", "60"}});
  CHECK(After({"window s = share(people) over year", "window r = rank(people) over year", "filter year = 2014",
               "select geo, s, r"}) == Rows{{"de", "0.2727272727272727", "2"}, {"fr", "0.7272727272727273", "1"}});
  CHECK(After({"window t = running_sum(gdp) over geo by year", "window m = moving_mean(people, 2) over geo by year",
               "select t, m"}) ==
        Rows{{"1.00", "-"}, {"2.50", "2"}, {"5.50", "2.5"}, {"10", "-"}, {"-", "5"}, {"50", "6.5"}});
}

TEST_CASE("a window over a row that is missing says so") {
  std::vector<std::string> warnings;
  REQUIRE_OK(RunAll(Countries(), {"filter year != 2013", "window c = change(gdp) over geo by year"}, &warnings));
  CHECK(warnings.empty());  // equal steps, though of two years
  warnings.clear();
  Table gap = MakeTable({{"year", true, {I(1), I(2), I(4)}}, {"x", false, {I(1), I(2), I(3)}}});
  REQUIRE_OK(RunAll(gap, {"window c = change(x) by year"}, &warnings));
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("year has gaps in 1 partition") != std::string::npos);
}

TEST_CASE("top, sort and pivot") {
  CHECK(After({"top 2 by gdp", "select geo, gdp"}) == Rows{{"fr", "40"}, {"fr", "10"}});
  CHECK(After({"top 1 by gdp asc per geo", "select geo, gdp"}) == Rows{{"de", "1.00"}, {"fr", "10"}});
  CHECK(After({"sort gdp desc, geo", "select gdp"}) == Rows{{"40"}, {"10"}, {"3.00"}, {"1.50"}, {"1.00"}, {"-"}});
  absl::StatusOr<Table> table = RunAll(Countries(), {"pivot year: sum(gdp)"});
  REQUIRE_OK(table);
  REQUIRE(table->columns.size() == 4);
  CHECK(table->columns[1].name == "2012");
  CHECK(Texts(*table) == Rows{{"de", "1.00", "1.50", "3.00"}, {"fr", "10", "-", "40"}});
  CHECK(After({"pivot geo: max(people)", "derive d = fr - de", "select year, d"}) ==
        Rows{{"2012", "3"}, {"2013", "3"}, {"2014", "5"}});
}

TEST_CASE("a pivot of too many values is refused") {
  std::vector<Value> keys;
  for (int64_t i = 0; i < 201; ++i) keys.push_back(I(i));
  absl::Status status = RunAll(MakeTable({{"k", true, keys}}), {"pivot k: count()"}).status();
  CHECK(chartly::Reason(status) == "REPORT_STEP_INVALID");
  CHECK(std::string(status.message()).find("steps[0]: k has 201 values") != std::string::npos);
}

TEST_CASE("the line through two columns and what is left are columns") {
  Table table = MakeTable({{"x", false, {I(1), I(2), I(3), Value()}}, {"y", false, {I(3), I(5), I(7), I(1)}}});
  absl::StatusOr<Table> out = RunAll(table, {"regress y on x"});
  REQUIRE_OK(out);
  CHECK(Texts(*out) == Rows{{"1", "3", "3", "0"}, {"2", "5", "5", "0"}, {"3", "7", "7", "0"}, {"-", "1", "-", "-"}});
}

TEST_CASE("a step that does not parse says where and what was expected") {
  auto [text, part] = GENERATE(table<std::string, std::string>({
      {"", "is not the beginning of a step"},
      {"groop by x", "\"groop\" is not the beginning of a step; write filter, derive"},
      {"group by x sum(y)", "column 12: expected \":\", found \"sum\""},
      {"group by x: pearson(y)", "expected \",\", found \")\""},
      {"group by x: add(y)", "expected one of count, distinct"},
      {"group by decade(x): sum(y)", "\"decade\" is no unit of time"},
      {"group by every(x, soon): sum(y)", "expected a length of time such as 15m"},
      {"group by x: quantile(y, 2)", "expected a number from 0 to 1"},
      {"group by x: sum(y) and more", "expected the end, found \"and\""},
      {"derive = a", "expected a name for the new measure"},
      {"derive x = a +", "expected a number, the name of a column"},
      {"derive x = foo(a)", "no function foo of 1 arguments"},
      {"derive x = (a", "expected \")\""},
      {"derive x = `a", "does not end"},
      {"window x = lag(y) over g", "expected \"by\" and the column that gives the order"},
      {"window x = guess(y)", "expected one of lag, change"},
      {"top x by y", "expected a whole number from 1"},
      {"pivot x sum(y)", "expected \":\""},
      {"select", "expected the name of a column, found the end"},
      {"regress y x", "expected \"on\""},
      {"filter x >", "column"},
  }));
  absl::Status status = ParseStep(text).status();
  INFO(text << " gives " << status.ToString());
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(status.message()).find(part) != std::string::npos);
}

TEST_CASE("an unknown column in a step is named with those there are") {
  absl::Status status = RunAll(Countries(), {"filter year > 2012", "sort gdpp"}).status();
  CHECK(chartly::Reason(status) == "REPORT_UNKNOWN_FIELD");
  CHECK(std::string(status.message()) ==
        "steps[1]: there is no column \"gdpp\" here; there are geo, year, gdp, people");
}

TEST_CASE("no text makes the parsers read past their end or recurse without bound") {
  std::mt19937_64 random(5);
  const std::string pieces[] = {"derive ", "x",   "=", "(",    ")",    "`",      "^",    "-",       "1e9", ",",
                                "group ",  "by ", ":", "sum(", " as ", "every(", "\xff", "window ", "lag("};
  for (int round = 0; round < 20000; ++round) {
    std::string text = round % 3 == 0 ? "derive x = " : round % 3 == 1 ? "group by " : "window x = ";
    for (size_t i = random() % 12; i > 0; --i) text += pieces[random() % std::size(pieces)];
    (void)ParseStep(text).ok();
  }
  CHECK(!ParseStep("derive x = " + std::string(4000, '(')).ok());
  CHECK(!ParseStep("derive x = " + std::string(2000, '^')).ok());
  std::string chain = "derive x = 1";
  for (int i = 0; i < 1000; ++i) chain += "^1";
  CHECK(!ParseStep(chain).ok());
}

TEST_CASE("the names that steps read are known, without those that they make") {
  std::vector<Step> steps;
  for (const char* text :
       {"derive a = b / `c-d`", "group by year(t) as y: sum(a) as s, count()", "window w = lag(s) by y"}) {
    absl::StatusOr<Step> step = ParseStep(text);
    REQUIRE_OK(step);
    steps.push_back(*std::move(step));
  }
  CHECK(NamesReadBy(steps) == std::vector<std::string>{"b", "c-d", "t"});
}

}  // namespace chartly::reporter
