#include "control/reporter/co_moments.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/base/attributes.h"

namespace chartly::reporter {
namespace {

// Squares below lose what was rounded off of them.
constexpr long double kLeastSquares = 1e-250L;

constexpr size_t kLanes = 4;
// Handed on by reference alone: how one is passed depends on the machine.
using Lanes = double __attribute__((vector_size(kLanes * sizeof(double))));

// Four sums at once, each with what its additions rounded off (Knuth's TwoSum).
struct LaneSums {
  Lanes sum = {};
  Lanes rest = {};
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Add(const Lanes& term) {
    const Lanes next = sum + term;
    const Lanes taken = next - sum;
    rest += (sum - (next - taken)) + (term - taken);
    sum = next;
  }
  CompensatedSum Total() const {
    CompensatedSum total;
    for (size_t lane = 0; lane < kLanes; ++lane) total.Add(sum[lane]);
    for (size_t lane = 0; lane < kLanes; ++lane) total.Add(rest[lane]);
    return total;
  }
};

struct AllSums {
  LaneSums x, y, xx, yy, xy;
};

// What rounding took from the products of a and b: exact, by one instruction where the processor has it.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void AddRest(const Lanes& a, const Lanes& b, const Lanes& product, Lanes& rest) {
  Lanes lost;
  for (size_t lane = 0; lane < kLanes; ++lane) lost[lane] = __builtin_fma(a[lane], b[lane], -product[lane]);
  rest += lost;
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void AddLanes(const double* x, const double* y, const Center& center,
                                                  AllSums& sums) {
  Lanes a, b;
  std::memcpy(&a, x, sizeof(a));
  std::memcpy(&b, y, sizeof(b));
  a -= center.x;
  b -= center.y;
  const Lanes aa = a * a, bb = b * b, ab = a * b;
  sums.x.Add(a);
  sums.y.Add(b);
  sums.xx.Add(aa);
  AddRest(a, a, aa, sums.xx.rest);
  sums.yy.Add(bb);
  AddRest(b, b, bb, sums.yy.rest);
  sums.xy.Add(ab);
  AddRest(a, b, ab, sums.xy.rest);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void AddAll(const double* x, const double* y, size_t count, const Center& center,
                                                AllSums& sums) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) AddLanes(x + i, y + i, center, sums);
  if (i == count) return;
  // What is missing of the last four lies at the center.
  double last_x[kLanes], last_y[kLanes];
  std::fill_n(last_x, kLanes, center.x);
  std::fill_n(last_y, kLanes, center.y);
  std::copy(x + i, x + count, last_x);
  std::copy(y + i, y + count, last_y);
  AddLanes(last_x, last_y, center, sums);
}

CoSums TotalOf(const AllSums& sums) {
  return {sums.x.Total(), sums.y.Total(), sums.xx.Total(), sums.yy.Total(), sums.xy.Total()};
}

CoSums SumAnywhere(const double* x, const double* y, size_t count, Center center) {
  AllSums sums;
  AddAll(x, y, count, center, sums);
  return TotalOf(sums);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) CoSums SumFourAtOnce(const double* x, const double* y, size_t count,
                                                         Center center) {
  AllSums sums;
  AddAll(x, y, count, center, sums);
  return TotalOf(sums);
}
#endif

}  // namespace

void CoSums::Add(const CoSums& other) {
  x.Add(other.x);
  y.Add(other.y);
  xx.Add(other.xx);
  yy.Add(other.yy);
  xy.Add(other.xy);
}

bool IsExact(const CoSums& sums) {
  for (const CompensatedSum* one : {&sums.x, &sums.y, &sums.xx, &sums.yy, &sums.xy}) {
    if (!std::isfinite(one->Total())) return false;
  }
  return sums.xx.Total() > kLeastSquares && sums.yy.Total() > kLeastSquares;
}

double CenterOf(const double* numbers, size_t count) {
  if (count == 0) return 0;
  constexpr size_t kLooks = 1024;
  constexpr double kFarFromZero = 64;
  const size_t step = std::max<size_t>(1, count / kLooks);
  double sum = 0, looks = 0;
  for (size_t i = 0; i < count; i += step, ++looks) sum += numbers[i];
  const double mean = sum / looks;
  double squares = 0;
  for (size_t i = 0; i < count; i += step) squares += (numbers[i] - mean) * (numbers[i] - mean);
  return std::isfinite(mean) && mean * mean > kFarFromZero * (squares / looks) ? mean : 0;
}

std::vector<CoSumsWay> CoSumsWaysForTest() {
  std::vector<CoSumsWay> ways;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) ways.push_back(SumFourAtOnce);
#endif
  ways.push_back(SumAnywhere);
  return ways;
}

CoSums SumAround(const double* x, const double* y, size_t count, Center center) {
  static const CoSumsWay best = CoSumsWaysForTest().front();
  return best(x, y, count, center);
}

}  // namespace chartly::reporter
