#include "control/reporter/correlation.h"

#include <algorithm>
#include <cmath>

#include "absl/numeric/int128.h"

namespace chartly::reporter {
namespace {

// Neumaier's sum: what an addition rounds off is kept and added at the end.
class CompensatedSum {
 public:
  void Add(long double term) {
    long double next = sum_ + term;
    rest_ += std::fabs(sum_) >= std::fabs(term) ? (sum_ - next) + term : (term - next) + sum_;
    sum_ = next;
  }
  long double Total() const { return sum_ + rest_; }

 private:
  long double sum_ = 0;
  long double rest_ = 0;
};

long double Mean(const NumberColumn& column) {
  CompensatedSum sum;
  for (size_t i = 0; i < column.size(); ++i) sum.Add(column.At(i));
  return sum.Total() / static_cast<long double>(column.size());
}

// sxy / sqrt(sxx * syy), where the product could leave the range; rounding must not lead outside [-1, 1].
double Coefficient(long double sxy, long double sxx, long double syy) {
  long double r = sxy / (std::sqrt(sxx) * std::sqrt(syy));
  return static_cast<double>(std::clamp(r, -1.0L, 1.0L));
}

}  // namespace

std::optional<double> Pearson(const NumberColumn& x, const NumberColumn& y) {
  // A constant side is found by comparing: its sum of squares need not round to zero.
  if (x.size() < 2 || x.IsConstant() || y.IsConstant()) return std::nullopt;
  long double mean_x = Mean(x);
  long double mean_y = Mean(y);
  CompensatedSum dx, dy, dxx, dyy, dxy;
  for (size_t i = 0; i < x.size(); ++i) {
    long double a = x.At(i) - mean_x;
    long double b = y.At(i) - mean_y;
    dx.Add(a);
    dy.Add(b);
    dxx.Add(a * a);
    dyy.Add(b * b);
    dxy.Add(a * b);
  }
  // The means are rounded; what they are off by is in the sums of the differences.
  long double n = static_cast<long double>(x.size());
  long double sxx = dxx.Total() - dx.Total() * dx.Total() / n;
  long double syy = dyy.Total() - dy.Total() * dy.Total() / n;
  long double sxy = dxy.Total() - dx.Total() * dy.Total() / n;
  if (!(sxx > 0) || !(syy > 0)) return std::nullopt;  // spread below what the machine can square
  return Coefficient(sxy, sxx, syy);
}

std::optional<double> Spearman(const NumberColumn& x, const NumberColumn& y) {
  if (x.size() < 2) return std::nullopt;
  std::vector<int64_t> ranks_x = x.DoubledMidRanks();
  std::vector<int64_t> ranks_y = y.DoubledMidRanks();
  // Twice the mean rank is n + 1 with and without ties, so every difference is whole.
  int64_t center = static_cast<int64_t>(x.size()) + 1;
  absl::int128 sxx = 0, syy = 0, sxy = 0;
  for (size_t i = 0; i < ranks_x.size(); ++i) {
    int64_t a = ranks_x[i] - center;
    int64_t b = ranks_y[i] - center;
    sxx += a * a;
    syy += b * b;
    sxy += a * b;
  }
  if (sxx == 0 || syy == 0) return std::nullopt;
  return Coefficient(static_cast<long double>(sxy), static_cast<long double>(sxx), static_cast<long double>(syy));
}

}  // namespace chartly::reporter
