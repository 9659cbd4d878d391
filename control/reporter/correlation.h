// How two columns of numbers go together. Pure functions.
//
// Pearson's r takes two passes with compensated sums in long double, so columns far from zero with a small spread lose
// nothing; Spearman's rho is computed from mid-ranks in whole numbers and rounded once. Both are within 1e-12 of the
// exact result.
#ifndef CHARTLY_CONTROL_REPORTER_CORRELATION_H_
#define CHARTLY_CONTROL_REPORTER_CORRELATION_H_

#include <optional>

#include "control/reporter/number_column.h"

namespace chartly::reporter {

// Nothing if undefined: fewer than two pairs, or a side whose numbers are all equal. Requires: equal sizes.
std::optional<double> Pearson(const NumberColumn& x, const NumberColumn& y);
std::optional<double> Spearman(const NumberColumn& x, const NumberColumn& y);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_CORRELATION_H_
