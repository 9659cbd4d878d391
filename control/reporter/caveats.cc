#include "control/reporter/caveats.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/reporter/compensated_sum.h"
#include "control/reporter/correlation.h"
#include "control/reporter/row_order.h"

namespace chartly::reporter {
namespace {

// How closely both must follow time, and how many steps say something.
constexpr double kTrend = 0.7;
constexpr size_t kFewestSteps = 8;
constexpr size_t kFewestMembers = 5;
constexpr size_t kMostNamed = 5;
// How exactly a row must be the sum of the rest.
constexpr double kSumTolerance = 1e-3;

bool IsTime(const Value& value, const std::string& name) {
  if (value.type() == ValueType::kDate || value.type() == ValueType::kTimestamp) return true;
  if (value.type() == ValueType::kInteger) {
    return absl::EndsWith(name, "year") && value.integer() > 1000 && value.integer() < 3000;
  }
  if (value.type() != ValueType::kText) return false;
  const std::string& text = value.text();  // 2024-07
  return text.size() == 7 && text[4] == '-' && absl::ascii_isdigit(static_cast<unsigned char>(text[0])) &&
         absl::ascii_isdigit(static_cast<unsigned char>(text[6]));
}

// The key that tells when.
const Column* TimeOf(const Table& table) {
  for (const Column& column : table.columns) {
    if (!column.is_key || column.dictionary->empty()) continue;
    const Dictionary& values = *column.dictionary;
    if (std::all_of(values.begin(), values.end(), [&](const Value& value) { return IsTime(value, column.name); })) {
      return &column;
    }
  }
  return nullptr;
}

struct Series {
  NumberColumn x, y, time;      // all rows
  NumberColumn step_x, step_y;  // from one time to the next
};

Series SeriesOf(const Table& table, const Column& time, const Column& x, const Column& y) {
  std::vector<const Column*> others;
  std::vector<SortColumn> order;
  for (const Column& column : table.columns) {
    if (column.is_key && &column != &time) others.push_back(&column);
  }
  for (const Column* other : others) order.push_back({other});
  order.push_back({&time});
  Series series;
  uint32_t before = kNoRow;
  for (uint32_t row : OrderRows(table.rows, order)) {
    Value a = x.Get(row), b = y.Get(row);
    if (!a.is_number() || !b.is_number() || time.IsNull(row)) continue;
    series.x.Add(a);
    series.y.Add(b);
    series.time.Add(Value::Integer(time.codes[row]));
    bool same = before != kNoRow && std::all_of(others.begin(), others.end(), [&](const Column* other) {
                  return other->codes[before] == other->codes[row];
                });
    if (same && time.codes[before] != time.codes[row]) {
      series.step_x.Add(Value::Float(a.ToDouble() - x.Get(before).ToDouble()));
      series.step_y.Add(Value::Float(b.ToDouble() - y.Get(before).ToDouble()));
    }
    before = row;
  }
  return series;
}

// Names of totals, as statistical offices use them, in lower case.
bool IsTotalName(const std::string& name) {
  static const auto* names = new std::set<std::string>{
      "world",      "total",         "all",           "grand total", "global",    "africa",    "asia",
      "europe",     "north america", "south america", "oceania",     "euro area", "eu27_2020", "european union",
      "arab world", "oecd members",  "wld",           "ea19",        "ea20",      "eu28",      "all items"};
  std::string lower = absl::AsciiStrToLower(name);
  if (names->count(lower) > 0 || absl::StartsWith(lower, "owid_")) return true;
  for (const char* part :
       {" income", "(excluding", "excluding high", "ida total", "ida & ibrd", "ibrd only", "small states",
        "demographic dividend", "heavily indebted", "least developed", "fragile and conflict", "european union"}) {
    if (absl::StrContains(lower, part)) return true;
  }
  return false;
}

// Codes of the World Bank: 1W, Z4. Those of countries are two letters.
bool IsTotalCode(const std::string& code) {
  if (code.size() != 2) return false;
  bool digit = absl::ascii_isdigit(static_cast<unsigned char>(code[0])) !=
               absl::ascii_isdigit(static_cast<unsigned char>(code[1]));
  return digit && (absl::ascii_isupper(static_cast<unsigned char>(code[0])) ||
                   absl::ascii_isupper(static_cast<unsigned char>(code[1])));
}

std::vector<std::string> TotalsByName(const Column& key) {
  std::vector<bool> used(key.dictionary->size(), false);
  for (uint32_t code : key.codes) {
    if (code != kNullCode) used[code] = true;
  }
  std::vector<std::string> totals;
  size_t members = 0, codes = 0;
  for (size_t i = 0; i < used.size(); ++i) {
    const Value& value = (*key.dictionary)[i];
    if (!used[i] || value.type() != ValueType::kText) continue;
    bool two_letters = value.text().size() == 2;
    codes += two_letters ? 1 : 0;
    if (IsTotalName(value.text()) || IsTotalCode(value.text())) {
      totals.push_back(value.text());
    } else {
      ++members;
    }
  }
  // 1W means something only where the others are codes of two letters, too.
  if (codes < members) {
    totals.erase(std::remove_if(totals.begin(), totals.end(), IsTotalCode), totals.end());
  }
  return members < kFewestMembers ? std::vector<std::string>() : totals;
}

// The value of `key` whose row is the sum of all others with the same other keys, in the largest such group.
std::optional<std::string> TotalBySum(const Table& table, const Column& key, const Column& measure) {
  std::vector<const Column*> others;
  for (const Column& column : table.columns) {
    if (column.is_key && &column != &key) others.push_back(&column);
  }
  RowGroups groups = GroupRows(table.rows, others);
  size_t largest = 0;
  for (size_t g = 1; g < groups.size(); ++g) {
    if (groups.starts[g + 1] - groups.starts[g] > groups.starts[largest + 1] - groups.starts[largest]) largest = g;
  }
  if (groups.size() == 0) return std::nullopt;
  CompensatedSum sum;
  size_t members = 0;
  uint32_t top = kNoRow;
  double most = 0;
  const RowSpan rows = groups.Rows(largest);
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint32_t row = rows[i];
    Value value = measure.Get(row);
    if (!value.is_number()) continue;
    double number = value.ToDouble();
    if (number < 0) return std::nullopt;
    sum.Add(number);
    members += number > 0 ? 1 : 0;
    if (number > most) {
      most = number;
      top = row;
    }
  }
  double rest = static_cast<double>(sum.Total()) - most;
  if (top == kNoRow || members < kFewestMembers || std::fabs(rest - most) > kSumTolerance * most) return std::nullopt;
  return key.Get(top).ToText();
}

}  // namespace

void WarnOfTrend(const Table& table, const Column& x, const Column& y, v1::RunReportResponse& answer) {
  const Column* time = TimeOf(table);
  if (time == nullptr) return;
  Series series = SeriesOf(table, *time, x, y);
  if (series.step_x.size() < kFewestSteps) return;
  std::optional<double> with_x = Pearson(series.x, series.time), with_y = Pearson(series.y, series.time);
  if (!with_x || !with_y || std::fabs(*with_x) < kTrend || std::fabs(*with_y) < kTrend) return;
  std::optional<double> after = Pearson(series.step_x, series.step_y);
  answer.add_warnings(absl::StrCat(
      x.name, " and ", y.name, " both follow ", time->name, absl::StrFormat(" (r %.2f and %.2f)", *with_x, *with_y),
      ", so they go together whether or not they have to do with one another; from one ", time->name,
      " to the next their Pearson is ", after ? absl::StrFormat("%.3f", *after) : std::string("undefined"), " (n ",
      series.step_x.size(), ")"));
}

void WarnOfAggregates(const Table& table, const std::vector<const Column*>& measures, v1::RunReportResponse& answer) {
  for (const Column& key : table.columns) {
    if (!key.is_key) continue;
    std::vector<std::string> totals = TotalsByName(key);
    for (size_t m = 0; m < std::min<size_t>(2, measures.size()) && totals.empty(); ++m) {
      if (measures[m]->is_key) continue;
      if (std::optional<std::string> total = TotalBySum(table, key, *measures[m])) totals.push_back(*total);
    }
    if (totals.empty()) continue;
    std::string named;
    for (size_t i = 0; i < std::min(totals.size(), kMostNamed); ++i) {
      absl::StrAppend(&named, i == 0 ? "" : ", ", totals[i]);
    }
    if (totals.size() > kMostNamed) absl::StrAppend(&named, " and ", totals.size() - kMostNamed, " more");
    answer.add_warnings(absl::StrCat(key.name, ": ", named,
                                     totals.size() == 1 ? " looks like a total" : " look like totals",
                                     " of other rows and weighs them twice; leave it out with a filter"));
  }
}

}  // namespace chartly::reporter
