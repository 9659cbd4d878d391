#include "control/reporter/correlation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "absl/numeric/int128.h"
#include "control/reporter/co_moments.h"
#include "control/reporter/compensated_sum.h"
#include "control/reporter/parallel.h"

namespace chartly::reporter {
namespace {

using LongColumn = std::vector<long double>;

// Blocks of plain additions whose totals are compensated: as good as compensating each term, to far below what a double
// can tell, and several times faster.
class BlockedSum {
 public:
  void Add(long double term) { block_ += term; }
  // After every kBlock terms, and at the end.
  void Flush() {
    total_.Add(block_);
    block_ = 0;
  }
  const CompensatedSum& total() const { return total_; }
  static constexpr size_t kBlock = 256;

 private:
  long double block_ = 0;
  CompensatedSum total_;
};

// Sums of squares and products around the means.
struct Moments {
  long double mean_x = 0, mean_y = 0;
  long double sxx = 0, syy = 0, sxy = 0;
};

// Some sums over all rows, from those of segments of rows, which several threads reckon. Segments and their order do
// not depend on the threads, so neither does the result.
template <typename Sums, typename SumSegment>
Sums SumSegments(size_t rows, SumSegment&& sum) {
  constexpr size_t kSegment = size_t{1} << 16;
  std::vector<Sums> parts((rows + kSegment - 1) / kSegment);
  InParallel(parts.size(),
             [&](size_t part) { parts[part] = sum(part * kSegment, std::min(rows, (part + 1) * kSegment)); });
  Sums total;
  for (const Sums& part : parts) total.Add(part);
  return total;
}

long double Mean(const NumberColumn& column) {
  const CompensatedSum sum = SumSegments<CompensatedSum>(column.size(), [&](size_t first, size_t end) {
    BlockedSum numbers;
    for (size_t begin = first; begin < end; begin += BlockedSum::kBlock) {
      for (size_t i = begin; i < std::min(end, begin + BlockedSum::kBlock); ++i) numbers.Add(column.At(i));
      numbers.Flush();
    }
    return numbers.total();
  });
  return sum.Total() / static_cast<long double>(column.size());
}

// sum of products - sum of x * sum of y / n, with all digits of the sums: little may be left of much.
long double AroundMean(const CompensatedSum& products, const CompensatedSum& x, const CompensatedSum& y,
                       long double n) {
  const long double high = x.high() * y.high();
  const long double low = std::fma(x.high(), y.high(), -high) + x.high() * y.low() + x.low() * y.high();
  const long double part = high / n;
  const long double rest = (std::fma(-part, n, high) + low) / n;
  CompensatedSum left = products;
  left.Add(-part);
  left.Add(-rest);
  return left.Total();
}

// From sums around a center, which need not be the mean.
Moments MomentsAround(long double center_x, long double center_y, const CoSums& sums, long double n) {
  Moments moments;
  moments.mean_x = center_x + sums.x.Total() / n;
  moments.mean_y = center_y + sums.y.Total() / n;
  moments.sxx = AroundMean(sums.xx, sums.x, sums.x, n);
  moments.syy = AroundMean(sums.yy, sums.y, sums.y, n);
  moments.sxy = AroundMean(sums.xy, sums.x, sums.y, n);
  return moments;
}

// Of numbers that are doubles, as most are. Nothing if they or their squares leave the range of one.
std::optional<Moments> MomentsOfDoubles(const double* x, const double* y, size_t rows) {
  const Center center{CenterOf(x, rows), CenterOf(y, rows)};
  const CoSums sums = SumSegments<CoSums>(
      rows, [&](size_t begin, size_t end) { return SumAround(x + begin, y + begin, end - begin, center); });
  if (!IsExact(sums)) return std::nullopt;
  return MomentsAround(center.x, center.y, sums, static_cast<long double>(rows));
}

Moments MomentsOf(const NumberColumn& x, const NumberColumn& y) {
  if (x.doubles() != nullptr && y.doubles() != nullptr) {
    if (std::optional<Moments> moments = MomentsOfDoubles(x.doubles(), y.doubles(), x.size())) return *moments;
  }
  const long double mean_x = Mean(x), mean_y = Mean(y);
  const CoSums all = SumSegments<CoSums>(x.size(), [&](size_t first, size_t end) {
    std::array<BlockedSum, 5> sums;
    for (size_t begin = first; begin < end; begin += BlockedSum::kBlock) {
      for (size_t i = begin; i < std::min(end, begin + BlockedSum::kBlock); ++i) {
        const long double a = x.At(i) - mean_x, b = y.At(i) - mean_y;
        sums[0].Add(a);
        sums[1].Add(b);
        sums[2].Add(a * a);
        sums[3].Add(b * b);
        sums[4].Add(a * b);
      }
      for (BlockedSum& one : sums) one.Flush();
    }
    return CoSums{sums[0].total(), sums[1].total(), sums[2].total(), sums[3].total(), sums[4].total()};
  });
  return MomentsAround(mean_x, mean_y, all, static_cast<long double>(x.size()));
}

// sxy / sqrt(sxx * syy), where the product could leave the range; rounding must not lead outside [-1, 1].
double Coefficient(long double sxy, long double sxx, long double syy) {
  long double r = sxy / (std::sqrt(sxx) * std::sqrt(syy));
  return static_cast<double>(std::clamp(r, -1.0L, 1.0L));
}

// Sums over runs of equal numbers, t being the length of a run.
struct Ties {
  absl::int128 pairs = 0;    // t (t - 1) / 2
  absl::int128 spread = 0;   // t (t - 1) (2 t + 5)
  absl::int128 triples = 0;  // t (t - 1) (t - 2)
  void AddRun(int64_t length) {
    absl::int128 t = length;
    pairs += t * (t - 1) / 2;
    spread += t * (t - 1) * (2 * t + 5);
    triples += t * (t - 1) * (t - 2);
  }
};

template <typename Same>
Ties TiesOf(size_t size, Same&& same) {
  Ties ties;
  for (size_t begin = 0; begin < size;) {
    size_t end = begin + 1;
    while (end < size && same(end - 1, end)) ++end;
    ties.AddRun(static_cast<int64_t>(end - begin));
    begin = end;
  }
  return ties;
}

// Sorts and counts how many pairs stood in the wrong order.
int64_t SortAndCount(std::vector<int64_t>& values, std::vector<int64_t>& spare, size_t begin, size_t end) {
  if (end - begin < 2) return 0;
  size_t middle = begin + (end - begin) / 2;
  int64_t swaps = SortAndCount(values, spare, begin, middle) + SortAndCount(values, spare, middle, end);
  size_t left = begin, right = middle;
  for (size_t out = begin; out < end; ++out) {
    bool take_left = right == end || (left < middle && values[left] <= values[right]);
    if (!take_left) swaps += static_cast<int64_t>(middle - left);
    spare[out] = take_left ? values[left++] : values[right++];
  }
  std::copy(spare.begin() + static_cast<int64_t>(begin), spare.begin() + static_cast<int64_t>(end),
            values.begin() + static_cast<int64_t>(begin));
  return swaps;
}

double KendallZ(int64_t size, absl::int128 score, const Ties& x, const Ties& y) {
  long double n = static_cast<long double>(size);
  long double variance =
      (n * (n - 1) * (2 * n + 5) - static_cast<long double>(x.spread) - static_cast<long double>(y.spread)) / 18;
  variance += 2 * static_cast<long double>(x.pairs) * static_cast<long double>(y.pairs) / (n * (n - 1));
  if (size > 2) {
    variance += static_cast<long double>(x.triples) * static_cast<long double>(y.triples) / (9 * n * (n - 1) * (n - 2));
  }
  return variance > 0 ? static_cast<double>(static_cast<long double>(score) / std::sqrt(variance)) : 0;
}

long double Dot(const LongColumn& a, const LongColumn& b) {
  CompensatedSum sum;
  for (size_t i = 0; i < a.size(); ++i) sum.Add(a[i] * b[i]);
  return sum.Total();
}

LongColumn Centered(const NumberColumn& column) {
  LongColumn centered(column.size());
  long double mean = Mean(column);
  CompensatedSum rest;
  for (size_t i = 0; i < centered.size(); ++i) rest.Add(centered[i] = column.At(i) - mean);
  long double correction = rest.Total() / static_cast<long double>(centered.size());
  for (long double& number : centered) number -= correction;
  return centered;
}

// Takes away what the basis explains, twice: the second time what the first rounded.
void TakeAway(const std::vector<LongColumn>& basis, LongColumn& column) {
  for (int round = 0; round < 2; ++round) {
    for (const LongColumn& direction : basis) {
      long double part = Dot(column, direction);
      for (size_t i = 0; i < column.size(); ++i) column[i] -= part * direction[i];
    }
  }
}

// Whether next to nothing of a column is left: what remains is rounding.
bool IsGone(long double left, long double before) { return !(left > before * 1e-28L); }

}  // namespace

std::optional<double> Pearson(const NumberColumn& x, const NumberColumn& y) {
  // A constant side is found by comparing: its sum of squares need not round to zero.
  if (x.size() < 2 || x.IsConstant() || y.IsConstant()) return std::nullopt;
  Moments moments = MomentsOf(x, y);
  if (!(moments.sxx > 0) || !(moments.syy > 0)) return std::nullopt;  // spread below what the machine can square
  return Coefficient(moments.sxy, moments.sxx, moments.syy);
}

std::optional<double> Spearman(const NumberColumn& x, const NumberColumn& y) {
  if (x.size() < 2) return std::nullopt;
  BigVector<int64_t> ranks_x, ranks_y;
  InParallel(2, [&](size_t side) { (side == 0 ? ranks_x : ranks_y) = (side == 0 ? x : y).DoubledMidRanks(); });
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

std::optional<Kendall> KendallTauB(const NumberColumn& x, const NumberColumn& y) {
  if (x.size() < 2) return std::nullopt;
  BigVector<int64_t> ranks_x, ranks_y;
  InParallel(2, [&](size_t side) { (side == 0 ? ranks_x : ranks_y) = (side == 0 ? x : y).DoubledMidRanks(); });
  struct Pair {
    int64_t x, y;
    bool operator<(const Pair& other) const { return x != other.x ? x < other.x : y < other.y; }
  };
  std::vector<Pair> pairs(x.size());
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {ranks_x[i], ranks_y[i]};
  std::sort(pairs.begin(), pairs.end());
  Ties ties_x = TiesOf(pairs.size(), [&](size_t a, size_t b) { return pairs[a].x == pairs[b].x; });
  Ties ties_both =
      TiesOf(pairs.size(), [&](size_t a, size_t b) { return pairs[a].x == pairs[b].x && pairs[a].y == pairs[b].y; });
  std::vector<int64_t> values(pairs.size()), spare(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) values[i] = pairs[i].y;
  int64_t discordant = SortAndCount(values, spare, 0, values.size());
  Ties ties_y = TiesOf(values.size(), [&](size_t a, size_t b) { return values[a] == values[b]; });
  absl::int128 n = static_cast<int64_t>(pairs.size());
  absl::int128 all = n * (n - 1) / 2;
  absl::int128 score = all - ties_x.pairs - ties_y.pairs + ties_both.pairs - 2 * absl::int128(discordant);
  if (all == ties_x.pairs || all == ties_y.pairs) return std::nullopt;
  Kendall kendall;
  kendall.tau = Coefficient(static_cast<long double>(score), static_cast<long double>(all - ties_x.pairs),
                            static_cast<long double>(all - ties_y.pairs));
  kendall.z = KendallZ(static_cast<int64_t>(pairs.size()), score, ties_x, ties_y);
  return kendall;
}

std::optional<double> PartialPearson(const NumberColumn& x, const NumberColumn& y,
                                     const std::vector<NumberColumn>& controls) {
  if (x.size() < controls.size() + 3 || x.IsConstant() || y.IsConstant()) return std::nullopt;
  std::vector<LongColumn> basis;
  for (const NumberColumn& control : controls) {
    LongColumn column = Centered(control);
    long double before = Dot(column, column);
    TakeAway(basis, column);
    long double left = Dot(column, column);
    if (control.IsConstant() || IsGone(left, before)) continue;  // the others say all that this one does
    long double length = std::sqrt(left);
    for (long double& number : column) number /= length;
    basis.push_back(std::move(column));
  }
  LongColumn a = Centered(x), b = Centered(y);
  long double before_a = Dot(a, a), before_b = Dot(b, b);
  TakeAway(basis, a);
  TakeAway(basis, b);
  long double left_a = Dot(a, a), left_b = Dot(b, b);
  if (IsGone(left_a, before_a) || IsGone(left_b, before_b)) return std::nullopt;
  return Coefficient(Dot(a, b), left_a, left_b);
}

double Line::At(long double x) const { return static_cast<double>(mean_y + exact_slope * (x - mean_x)); }

double Line::Residual(long double x, long double y) const {
  return static_cast<double>((y - mean_y) - exact_slope * (x - mean_x));
}

std::optional<Line> FitLine(const NumberColumn& x, const NumberColumn& y) {
  if (x.size() < 2 || x.IsConstant()) return std::nullopt;
  Moments moments = MomentsOf(x, y);
  if (!(moments.sxx > 0)) return std::nullopt;
  long double slope = moments.sxy / moments.sxx;
  CompensatedSum squares;
  for (size_t i = 0; i < x.size(); ++i) {
    long double left = (y.At(i) - moments.mean_y) - slope * (x.At(i) - moments.mean_x);
    squares.Add(left * left);
  }
  Line line;
  line.mean_x = moments.mean_x;
  line.mean_y = moments.mean_y;
  line.exact_slope = slope;
  line.slope = static_cast<double>(slope);
  line.intercept = static_cast<double>(moments.mean_y - slope * moments.mean_x);
  bool flat = y.IsConstant() || !(moments.syy > 0);
  double r = flat ? 0 : Coefficient(moments.sxy, moments.sxx, moments.syy);
  line.r_squared = r * r;
  if (x.size() > 2) {
    long double variance = squares.Total() / static_cast<long double>(x.size() - 2);
    line.residual_error = static_cast<double>(std::sqrt(variance));
    line.slope_error = static_cast<double>(std::sqrt(variance / moments.sxx));
  }
  return line;
}

}  // namespace chartly::reporter
