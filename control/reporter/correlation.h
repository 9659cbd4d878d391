// How columns of numbers go together. Pure functions.
//
// Pearson's r takes two passes with compensated sums in long double, so columns far from zero with a small spread lose
// nothing; Spearman's rho and Kendall's tau-b are computed in whole numbers and rounded once. All are within 1e-12 of
// the exact result. Sums run in the order of the rows, so the same rows give the same bits.
#ifndef CHARTLY_CONTROL_REPORTER_CORRELATION_H_
#define CHARTLY_CONTROL_REPORTER_CORRELATION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "control/reporter/number_column.h"

namespace chartly::reporter {

// Nothing if undefined: fewer than two pairs, or a side whose numbers are all equal. Requires: equal sizes.
std::optional<double> Pearson(const NumberColumn& x, const NumberColumn& y);
std::optional<double> Spearman(const NumberColumn& x, const NumberColumn& y);

// Tau-b, which takes ties on either side into account, in n log n steps.
struct Kendall {
  double tau = 0;
  // The score divided by its standard deviation if the sides were independent, ties included.
  double z = 0;
};
std::optional<Kendall> KendallTauB(const NumberColumn& x, const NumberColumn& y);

// Pearson's r of what is left of x and y after the best linear prediction from all controls. Nothing also if nothing is
// left of a side, or too few pairs are. Requires: equal sizes.
std::optional<double> PartialPearson(const NumberColumn& x, const NumberColumn& y,
                                     const std::vector<NumberColumn>& controls);

// The line y = intercept + slope * x with the least squares.
struct Line {
  double slope = 0;
  double intercept = 0;
  double r_squared = 0;
  double residual_error = 0;  // standard error of the residuals, n - 2; 0 for two pairs
  double slope_error = 0;     // standard error of the slope; 0 for two pairs
  // The value of the line, and what is left of y, from the means on: exact also far from zero.
  double At(long double x) const;
  double Residual(long double x, long double y) const;
  long double mean_x = 0;
  long double mean_y = 0;
  long double exact_slope = 0;
};
// Nothing with fewer than two pairs or a constant x; with a constant y, r_squared is 0.
std::optional<Line> FitLine(const NumberColumn& x, const NumberColumn& y);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_CORRELATION_H_
