#include "control/reporter/co_moments.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "absl/numeric/int128.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

// Whole numbers around a large one, whose sums are known exactly.
std::vector<double> WholeNumbers(std::mt19937_64& random, size_t count, int64_t around, int64_t spread) {
  std::vector<double> numbers;
  for (size_t i = 0; i < count; ++i) {
    numbers.push_back(static_cast<double>(around + static_cast<int64_t>(random() % static_cast<uint64_t>(spread))));
  }
  return numbers;
}

long double ExactSum(const std::vector<double>& x, double center_x, const std::vector<double>& y, double center_y) {
  absl::int128 sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += absl::int128(static_cast<int64_t>(x[i]) - static_cast<int64_t>(center_x)) *
           (static_cast<int64_t>(y[i]) - static_cast<int64_t>(center_y));
  }
  return static_cast<long double>(sum);
}

bool AreAlike(long double got, long double want) { return std::fabs(got - want) <= 1e-19L * std::fabs(want); }

}  // namespace

TEST_CASE("sums around a center are those of whole numbers to the last digit, by every way of the machine") {
  std::mt19937_64 random(41);
  for (int round = 0; round < 300; ++round) {
    const size_t count = 2 + random() % 700;
    const int64_t around = round % 3 == 0 ? 0 : int64_t{1} << (10 + random() % 38);
    const int64_t spread = int64_t{2} << (random() % 46);
    const std::vector<double> x = WholeNumbers(random, count, around, spread);
    const std::vector<double> y = WholeNumbers(random, count, -around, spread);
    const Center center = round % 2 == 0 ? Center{} : Center{static_cast<double>(around), static_cast<double>(-around)};
    for (const CoSumsWay way : CoSumsWaysForTest()) {
      const CoSums sums = way(x.data(), y.data(), count, center);
      INFO("round " << round << ", " << count << " numbers");
      CHECK(AreAlike(sums.xx.Total(), ExactSum(x, center.x, x, center.x)));
      CHECK(AreAlike(sums.yy.Total(), ExactSum(y, center.y, y, center.y)));
      CHECK(AreAlike(sums.xy.Total(), ExactSum(x, center.x, y, center.y)));
      CHECK(AreAlike(sums.x.Total(), ExactSum(x, center.x, std::vector<double>(count, 1), 0)));
    }
  }
}

TEST_CASE("all ways give the same bits, whatever the numbers and however many there are") {
  std::mt19937_64 random(42);
  std::normal_distribution<double> normal(3, 2);
  const std::vector<CoSumsWay> ways = CoSumsWaysForTest();
  for (size_t count = 0; count < 70; ++count) {
    std::vector<double> x, y;
    for (size_t i = 0; i < count; ++i) {
      x.push_back(std::ldexp(normal(random), static_cast<int>(random() % 40) - 20));
      y.push_back(normal(random) * 1e-5);
    }
    const Center center{CenterOf(x.data(), count), CenterOf(y.data(), count)};
    const CoSums first = ways.front()(x.data(), y.data(), count, center);
    for (const CoSumsWay way : ways) {
      const CoSums sums = way(x.data(), y.data(), count, center);
      INFO(count << " numbers");
      CHECK((sums.x.high() == first.x.high() && sums.x.low() == first.x.low()));
      CHECK((sums.y.high() == first.y.high() && sums.y.low() == first.y.low()));
      CHECK((sums.xx.high() == first.xx.high() && sums.xx.low() == first.xx.low()));
      CHECK((sums.yy.high() == first.yy.high() && sums.yy.low() == first.yy.low()));
      CHECK((sums.xy.high() == first.xy.high() && sums.xy.low() == first.xy.low()));
    }
  }
}

TEST_CASE("a center is near the mean of what lies close together far from zero, and zero else") {
  const std::vector<double> near = {1e9 + 0.25, 1e9 + 0.5, 1e9 - 0.75};
  CHECK(std::fabs(CenterOf(near.data(), near.size()) - 1e9) < 1);
  const std::vector<double> wide = {-3, 100, 7, 0.001};
  CHECK(CenterOf(wide.data(), wide.size()) == 0);
  CHECK(CenterOf(nullptr, 0) == 0);
  std::vector<double> many(5000, -40);
  CHECK(CenterOf(many.data(), many.size()) == -40);
}

TEST_CASE("sums that left the range of a double are known for that") {
  const std::vector<double> plain = {1, 2, 4, 8}, huge = {1e200, 2e200, -1e200, 5}, tiny = {1e-200, 2e-200, 3e-200, 0};
  auto is_exact = [](const std::vector<double>& x, const std::vector<double>& y) {
    return IsExact(SumAround(x.data(), y.data(), x.size(), {}));
  };
  CHECK(is_exact(plain, plain));
  CHECK_FALSE(is_exact(huge, plain));
  CHECK_FALSE(is_exact(plain, huge));
  CHECK_FALSE(is_exact(tiny, plain));
  CHECK_FALSE(is_exact(plain, {0, 0, 0, 0}));
}

}  // namespace chartly::reporter
