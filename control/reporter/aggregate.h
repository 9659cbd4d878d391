// Figures of a group of rows: sum, mean, count and the like. Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_AGGREGATE_H_
#define CHARTLY_CONTROL_REPORTER_AGGREGATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "control/reporter/row_order.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

enum class AggregateFunction {
  kCount,     // rows, or values of the column that are not missing
  kDistinct,  // different values
  kSum,       // exact for integers and decimals
  kMean,
  kMin,
  kMax,
  kMedian,
  kQuantile,  // linear between the two nearest values, as spreadsheets do
  kStddev,    // of a sample: n - 1
  kFirst,     // in the order of the table
  kLast,
  kPearson,   // of pairs of two columns
  kSpearman,  // likewise
};

// False if there is no function of that name.
bool ParseAggregateFunction(absl::string_view name, AggregateFunction& out);
// "count, distinct, ..."
std::string AggregateFunctionNames();
inline bool TakesTwoColumns(AggregateFunction function) {
  return function == AggregateFunction::kPearson || function == AggregateFunction::kSpearman;
}

// What a figure is of.
struct Operands {
  const Column* column = nullptr;  // may be nullptr for kCount
  const Column* other = nullptr;   // of what takes two columns
  double quantile = 0.5;
};

// Of these rows. Missing values and, where numbers are needed, values that are none take no part; what is then
// undefined is null.
Value Aggregate(AggregateFunction function, const Operands& of, RowSpan rows);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_AGGREGATE_H_
