// How sure a coefficient is: p-values and confidence intervals. Pure functions.
//
// Pearson and partial: Student's t with n - 2 - controls degrees of freedom; interval by Fisher's z. Spearman: the same
// t; interval by z with the variance (1 + rho^2 / 2) / (n - 3) of Bonett and Wright. Kendall: normal, variance with
// ties; interval by z with the variance 0.437 / (n - 4) of Fieller, Hartley and Pearson. All p-values are two-sided.
#ifndef CHARTLY_CONTROL_REPORTER_INFERENCE_H_
#define CHARTLY_CONTROL_REPORTER_INFERENCE_H_

#include <cstdint>
#include <optional>
#include <utility>

namespace chartly::reporter {

// From low to high.
using Interval = std::pair<double, double>;

// Nothing where n leaves no degree of freedom. Requires: 0 < confidence < 1, for all.
std::optional<double> PearsonP(double r, int64_t n, int64_t controls = 0);
std::optional<Interval> PearsonInterval(double r, int64_t n, double confidence, int64_t controls = 0);
std::optional<Interval> SpearmanInterval(double rho, int64_t n, double confidence);
double NormalP(double z);
std::optional<Interval> KendallInterval(double tau, int64_t n, double confidence);
// Of a slope with its standard error: n - 2 degrees of freedom.
std::optional<double> SlopeP(double slope, double error, int64_t n);
std::optional<Interval> SlopeInterval(double slope, double error, int64_t n, double confidence);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_INFERENCE_H_
