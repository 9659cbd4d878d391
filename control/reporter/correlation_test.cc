#include "control/reporter/correlation.h"

#include <cmath>
#include <random>
#include <vector>

#include "absl/numeric/int128.h"
#include "control/reporter/inference.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

NumberColumn Integers(const std::vector<int64_t>& numbers) {
  NumberColumn column;
  for (int64_t number : numbers) column.Add(Value::Integer(number));
  return column;
}

NumberColumn Floats(const std::vector<double>& numbers) {
  NumberColumn column;
  for (double number : numbers) column.Add(Value::Float(number));
  return column;
}

bool Near(double got, long double want) { return std::fabs(got - want) <= 1e-12L * std::max(std::fabs(want), 1e-300L); }

// n*Sxy - Sx*Sy over whole numbers: nothing is rounded before the last step.
long double ExactPearson(const std::vector<int64_t>& x, const std::vector<int64_t>& y) {
  absl::int128 n = static_cast<int64_t>(x.size()), sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    absl::int128 a = x[i] - x[0], b = y[i] - y[0];
    sx += a, sy += b, sxx += a * a, syy += b * b, sxy += a * b;
  }
  long double top = static_cast<long double>(n * sxy - sx * sy);
  return top / std::sqrt(static_cast<long double>(n * sxx - sx * sx)) /
         std::sqrt(static_cast<long double>(n * syy - sy * sy));
}

// Mid-ranks by counting: 2 * rank = 2 * (smaller ones) + (equal ones) + 1.
std::vector<int64_t> CountedRanks(const std::vector<int64_t>& x) {
  std::vector<int64_t> ranks;
  for (int64_t a : x) {
    int64_t doubled = 1;
    for (int64_t b : x) doubled += b < a ? 2 : b == a ? 1 : 0;
    ranks.push_back(doubled);
  }
  return ranks;
}

}  // namespace

TEST_CASE("Pearson of cases worked out by hand") {
  CHECK(*Pearson(Integers({1, 2, 3}), Integers({2, 4, 6})) == 1.0);
  CHECK(*Pearson(Integers({1, 2, 3}), Integers({5, 4, 3})) == -1.0);
  // dx = -1 0 1, dy = 0 -1 1 (times 1): sxy = 1, sxx = 2, syy = 2.
  CHECK(Near(*Pearson(Integers({1, 2, 3}), Integers({2, 1, 3})), 0.5L));
  // dx = -1.5 -.5 .5 1.5, dy = -1 1 -1 1: sxy = 2, sxx = 5, syy = 4.
  CHECK(Near(*Pearson(Integers({1, 2, 3, 4}), Integers({0, 2, 0, 2})), 2 / std::sqrt(20.0L)));
  CHECK(*Pearson(Integers({-1, 0, 1}), Integers({1, -2, 1})) == 0.0);
}

TEST_CASE("Spearman takes mid-ranks for ties") {
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: d = .5^2 * 2; sxy = 4.5, sxx = 4.5, syy = 5.
  CHECK(Near(*Spearman(Integers({10, 20, 20, 30}), Integers({1, 2, 3, 4})), 4.5L / std::sqrt(22.5L)));
  CHECK(*Spearman(Integers({1, 10, 100, 1000}), Integers({2, 3, 5, 1000000})) == 1.0);
  CHECK(*Spearman(Integers({1, 2, 3}), Integers({9, 8, 7})) == -1.0);
}

TEST_CASE("a coefficient is undefined with fewer than two pairs or a constant side") {
  CHECK(!Pearson(Integers({}), Integers({})));
  CHECK(!Spearman(Integers({}), Integers({})));
  CHECK(!Pearson(Integers({1}), Integers({2})));
  CHECK(!Spearman(Integers({1}), Integers({2})));
  // 0.1 added up ten times is not ten times 0.1; the side is constant all the same.
  CHECK(!Pearson(Floats(std::vector<double>(10, 0.1)), Integers({1, 2, 3, 4, 5, 6, 7, 8, 9, 10})));
  CHECK(!Spearman(Integers({1, 2, 3}), Integers({7, 7, 7})));
}

TEST_CASE("coefficients agree with whole-number references on random columns, also far from zero") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    int64_t offset = round % 3 == 0 ? 0 : round % 3 == 1 ? 1'000'000'000 : 9'007'199'254'740'993;
    int64_t spread = round % 2 == 0 ? 5 : 100'000;
    size_t n = 2 + random() % 60;
    std::vector<int64_t> x, y;
    for (size_t i = 0; i < n; ++i) {
      x.push_back(offset + static_cast<int64_t>(random() % spread));
      y.push_back(x.back() / 2 + static_cast<int64_t>(random() % spread));
    }
    std::optional<double> r = Pearson(Integers(x), Integers(y));
    std::optional<double> rho = Spearman(Integers(x), Integers(y));
    REQUIRE(r.has_value() == rho.has_value());
    if (!r) continue;
    INFO("n=" << n << " offset=" << offset << " spread=" << spread);
    CHECK(std::fabs(*r - ExactPearson(x, y)) <= 1e-12L * std::max(std::fabs(ExactPearson(x, y)), 1e-6L));
    CHECK(std::fabs(*rho - ExactPearson(CountedRanks(x), CountedRanks(y))) <= 1e-12L);
  }
}

TEST_CASE("a small spread far from zero loses nothing") {
  // Eighths are exact in a double near 1e9, so the same figures around zero have the same r.
  std::vector<double> near, far, other;
  std::mt19937_64 random(11);
  for (int i = 0; i < 1000; ++i) {
    double eighths = static_cast<double>(random() % 64) / 8;
    near.push_back(eighths);
    far.push_back(1e9 + eighths);
    other.push_back(eighths * 3 + static_cast<double>(random() % 1000));
  }
  CHECK(Near(*Pearson(Floats(far), Floats(other)), *Pearson(Floats(near), Floats(other))));
}

TEST_CASE("Kendall's tau-b is what counting all pairs gives, with ties") {
  std::mt19937_64 random(17);
  for (int round = 0; round < 300; ++round) {
    int64_t spread = 2 + static_cast<int64_t>(random() % 30);
    std::vector<int64_t> x, y;
    for (size_t i = 2 + random() % 40; i > 0; --i) {
      x.push_back(static_cast<int64_t>(random() % spread));
      y.push_back(x.back() / 2 + static_cast<int64_t>(random() % spread));
    }
    int64_t score = 0, pairs_x = 0, pairs_y = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        int64_t a = (x[i] > x[j]) - (x[i] < x[j]), b = (y[i] > y[j]) - (y[i] < y[j]);
        score += a * b;
        pairs_x += a * a;
        pairs_y += b * b;
      }
    }
    std::optional<Kendall> kendall = KendallTauB(Integers(x), Integers(y));
    REQUIRE(kendall.has_value() == (pairs_x > 0 && pairs_y > 0));
    if (!kendall) continue;
    long double want = static_cast<long double>(score) / std::sqrt(static_cast<long double>(pairs_x) * pairs_y);
    CHECK(std::fabs(kendall->tau - want) <= 1e-12L);
    CHECK((kendall->z > 0) == (score > 0));
  }
}

TEST_CASE("a partial coefficient with one control is that of the formula") {
  std::mt19937_64 random(19);
  for (int round = 0; round < 100; ++round) {
    double offset = round % 2 == 0 ? 0 : 1e9;
    std::vector<double> x, y, z;
    for (size_t i = 5 + random() % 40; i > 0; --i) {
      z.push_back(offset + static_cast<double>(random() % 1000));
      x.push_back(z.back() * 2 + static_cast<double>(random() % 1000));
      y.push_back(-z.back() + static_cast<double>(random() % 1000));
    }
    double xy = *Pearson(Floats(x), Floats(y)), xz = *Pearson(Floats(x), Floats(z)),
           yz = *Pearson(Floats(y), Floats(z));
    double want = (xy - xz * yz) / std::sqrt((1 - xz * xz) * (1 - yz * yz));
    CHECK(*PartialPearson(Floats(x), Floats(y), {Floats(z)}) == Approx(want).margin(1e-9));
    // The same control twice takes out no more than once.
    CHECK(*PartialPearson(Floats(x), Floats(y), {Floats(z), Floats(z)}) == Approx(want).margin(1e-9));
  }
  CHECK(!PartialPearson(Integers({1, 2, 3, 5}), Integers({2, 4, 1, 9}), {Integers({1, 2, 3, 5})}));
}

TEST_CASE("the line through points of a line is that line, also far from zero") {
  for (double offset : {0.0, 1e9}) {
    std::vector<double> x, y;
    for (int i = 0; i < 50; ++i) {
      x.push_back(offset + i / 8.0);
      y.push_back(3 * (i / 8.0) - 7);
    }
    std::optional<Line> line = FitLine(Floats(x), Floats(y));
    REQUIRE(line);
    CHECK(line->slope == 3);
    CHECK(line->intercept == -7 - 3 * offset);
    CHECK(line->r_squared == 1);
    CHECK(line->Residual(x[7], y[7]) == 0);
  }
  CHECK(!FitLine(Integers({2, 2}), Integers({1, 3})));
  CHECK(FitLine(Integers({1, 2, 3}), Integers({4, 4, 4}))->r_squared == 0);
}

TEST_CASE("p-values and intervals are those of tables") {
  // t = 0.6 * sqrt(8 / 0.64) = 2.1213 with 8 degrees of freedom; z = 0.693147 -+ 1.959964 / sqrt(7).
  CHECK(*PearsonP(0.6, 10) == Approx(0.066688).margin(1e-6));
  CHECK(PearsonInterval(0.6, 10, 0.95)->first == Approx(-0.047614).margin(1e-6));
  CHECK(PearsonInterval(0.6, 10, 0.95)->second == Approx(0.892472).margin(1e-6));
  CHECK(NormalP(1.959963984540054) == Approx(0.05).margin(1e-12));
  CHECK(*PearsonP(1, 5) == 0);
  CHECK(*PearsonP(0, 5) == 1);
  CHECK(!PearsonP(0.5, 2));
  CHECK(!PearsonInterval(0.5, 3, 0.95));
  CHECK(*PearsonInterval(1, 5, 0.95) == Interval{1, 1});
}

TEST_CASE("huge and tiny numbers neither overflow nor vanish") {
  CHECK(*Pearson(Floats({1e300, 2e300, 3e300}), Floats({1e-300, 2e-300, 3e-300})) == Approx(1.0));
  CHECK(*Pearson(Floats({-1.7e308, 1.7e308}), Floats({1, 2})) == 1.0);
}

TEST_CASE("integers past 53 bits stay apart in ranks") {
  std::vector<int64_t> wide = {9007199254740993, 9007199254740992, 9007199254740994};
  CHECK(*Spearman(Integers(wide), Integers({2, 1, 3})) == 1.0);
  NumberColumn mixed;
  mixed.Add(Value::Of(Decimal{500, 2}));
  mixed.Add(Value::Integer(5));
  mixed.Add(Value::Float(5.0));
  CHECK(mixed.IsConstant());
}

TEST_CASE("Pearson is right to the last digit, also of numbers that hardly go together or lie far from zero") {
  std::mt19937_64 random(23);
  for (int round = 0; round < 200; ++round) {
    const size_t count = 3 + random() % (round % 20 == 0 ? 200'000 : 500);
    const int64_t around = round % 4 == 0 ? 0 : static_cast<int64_t>(random() % 100'000);
    std::vector<int64_t> x, y;
    for (size_t i = 0; i < count; ++i) {
      x.push_back(around + static_cast<int64_t>(random() % 1000) * 20);
      y.push_back(around + static_cast<int64_t>(random() % 1000) * (round % 2 == 0 ? 20 : 1));
    }
    const long double want = ExactPearson(x, y);
    INFO("round " << round << ", " << count << " pairs, " << static_cast<double>(want));
    // Half of the last digit of a double, and what the reference rounds.
    CHECK(std::fabs(*Pearson(Integers(x), Integers(y)) - want) <= 1.115e-16L * std::fabs(want));
  }
}

TEST_CASE("Pearson of numbers whose squares leave the range of a double") {
  for (const double scale : {1e200, 1e-200, 1e-160}) {
    INFO("scale " << scale);
    CHECK(Near(*Pearson(Floats({1 * scale, 2 * scale, 3 * scale, 4 * scale}), Floats({0, 2, 0, 2})),
               2 / std::sqrt(20.0L)));
    CHECK(Near(*Pearson(Floats({0, 2, 0, 2}), Floats({1 * scale, 2 * scale, 3 * scale, 4 * scale})),
               2 / std::sqrt(20.0L)));
  }
}

}  // namespace chartly::reporter
