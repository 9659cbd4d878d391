// The steps that a report takes its rows through, as people write them. docs/reports.md describes each.
//
//   filter year >= 2000
//   derive per_head = gdp.usd / population
//   group by geo.region, year(time.date) as year: sum(gdp.usd) as gdp, count(), pearson(gdp.usd, co2)
//   window growth = percent_change(gdp) over geo.region by year
//   sort gdp desc, geo.region
//   top 10 by gdp per year
//   pivot year: sum(gdp)
//   select geo.region, gdp as product
//   regress co2 on gdp
#ifndef CHARTLY_CONTROL_REPORTER_STEP_H_
#define CHARTLY_CONTROL_REPORTER_STEP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/normalize/expression.h"
#include "control/reporter/aggregate.h"
#include "control/reporter/arithmetic.h"
#include "control/reporter/time_bucket.h"

namespace chartly::reporter {

struct FilterStep {
  Expression condition;
};

struct DeriveStep {
  std::string name;
  Arithmetic arithmetic;
};

struct AggregateCall {
  AggregateFunction function = AggregateFunction::kCount;
  std::string column;  // empty: rows
  std::string other;   // of what takes two columns
  double quantile = 0.5;
  std::string name;
};

struct GroupKey {
  std::string column;
  std::optional<TimeBucket> bucket;
  std::string name;
};

struct GroupStep {
  std::vector<GroupKey> keys;  // empty: all rows are one group
  std::vector<AggregateCall> calls;
};

struct WindowStep {
  enum class Function {
    kLag,            // the value `offset` rows before; after, if negative
    kChange,         // value - lag
    kPercentChange,  // 100 * (value / lag - 1)
    kShare,          // value / sum of the partition
    kRank,           // 1 for the largest; equal ones share the best rank
    kRunningSum,
    kMovingMean,  // of the `offset` newest rows up to this one; null for the first ones
  };
  std::string name;
  Function function = Function::kLag;
  std::string column;
  int64_t offset = 1;
  std::vector<std::string> over;  // columns; each combination is a partition of its own
  std::vector<std::string> by;    // order within a partition
};

struct SortKey {
  std::string column;
  bool descending = false;
};

struct SortStep {
  std::vector<SortKey> keys;
};

struct TopStep {
  int64_t count = 0;
  SortKey by;
  std::vector<std::string> per;
};

struct PivotStep {
  std::string column;
  AggregateCall call;
};

struct SelectStep {
  struct Item {
    std::string column;
    std::string name;
  };
  std::vector<Item> items;
};

// Adds the line of y over x and what is left: y.fitted and y.residual.
struct RegressStep {
  std::string y;
  std::string x;
};

using Step =
    std::variant<FilterStep, DeriveStep, GroupStep, WindowStep, SortStep, TopStep, PivotStep, SelectStep, RegressStep>;

inline constexpr int kMaxSteps = 32;

// InvalidArgument: REPORT_STEP_INVALID with the column and what was expected, or EXPRESSION_INVALID.
absl::StatusOr<Step> ParseStep(absl::string_view text);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_STEP_H_
