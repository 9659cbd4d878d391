#include "control/reporter/inference.h"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace chartly::reporter {
namespace {

using boost::math::cdf;
using boost::math::complement;
using boost::math::quantile;

double NormalQuantile(double confidence) { return quantile(complement(boost::math::normal(), (1 - confidence) / 2)); }

double StudentP(double t, int64_t degrees) {
  if (!std::isfinite(t)) return 0;
  return 2 * cdf(complement(boost::math::students_t(static_cast<double>(degrees)), std::fabs(t)));
}

// The interval around a coefficient whose z has that variance. A perfect one has no width.
std::optional<Interval> FisherInterval(double r, double variance, double confidence) {
  if (!(variance > 0) || !std::isfinite(variance)) return std::nullopt;
  if (std::fabs(r) >= 1) return Interval{r, r};
  double z = std::atanh(r);
  double reach = NormalQuantile(confidence) * std::sqrt(variance);
  return Interval{std::tanh(z - reach), std::tanh(z + reach)};
}

}  // namespace

std::optional<double> PearsonP(double r, int64_t n, int64_t controls) {
  int64_t degrees = n - 2 - controls;
  if (degrees < 1) return std::nullopt;
  return StudentP(r * std::sqrt(static_cast<double>(degrees) / ((1 - r) * (1 + r))), degrees);
}

std::optional<Interval> PearsonInterval(double r, int64_t n, double confidence, int64_t controls) {
  return FisherInterval(r, 1 / static_cast<double>(n - 3 - controls), confidence);
}

std::optional<Interval> SpearmanInterval(double rho, int64_t n, double confidence) {
  return FisherInterval(rho, (1 + rho * rho / 2) / static_cast<double>(n - 3), confidence);
}

double NormalP(double z) { return 2 * cdf(complement(boost::math::normal(), std::fabs(z))); }

std::optional<Interval> KendallInterval(double tau, int64_t n, double confidence) {
  return FisherInterval(tau, 0.437 / static_cast<double>(n - 4), confidence);
}

std::optional<double> SlopeP(double slope, double error, int64_t n) {
  if (n < 3) return std::nullopt;
  if (error == 0) return slope == 0 ? 1.0 : 0.0;
  return StudentP(slope / error, n - 2);
}

std::optional<Interval> SlopeInterval(double slope, double error, int64_t n, double confidence) {
  if (n < 3) return std::nullopt;
  double t = quantile(complement(boost::math::students_t(static_cast<double>(n - 2)), (1 - confidence) / 2));
  return Interval{slope - t * error, slope + t * error};
}

}  // namespace chartly::reporter
