// Sums of numbers, of their squares and of their products with others, around a center. Each product is exact, and what
// an addition rounds off is kept: the sums have twice the digits of a double, also where numbers lie far from zero and
// close together.
//
// Pure functions: the same bits whichever way the machine goes.
#ifndef CHARTLY_CONTROL_REPORTER_CO_MOMENTS_H_
#define CHARTLY_CONTROL_REPORTER_CO_MOMENTS_H_

#include <cstddef>
#include <vector>

#include "control/reporter/compensated_sum.h"

namespace chartly::reporter {

struct CoSums {
  CompensatedSum x, y;
  CompensatedSum xx, yy, xy;
  void Add(const CoSums& other);
};
// Whether all digits are there. Not so if numbers or their squares left the range of a double, which also is so if all
// lie at the center.
bool IsExact(const CoSums& sums);

struct Center {
  double x = 0, y = 0;
};

// A center that loses no digit: near the mean of numbers that lie close together far from zero, else zero. Looks at a
// thousand of them.
double CenterOf(const double* numbers, size_t count);

// The sums of x - center.x and y - center.y.
CoSums SumAround(const double* x, const double* y, size_t count, Center center);

// Of the ways to reckon them those that this machine can go, the best one first.
using CoSumsWay = CoSums (*)(const double* x, const double* y, size_t count, Center center);
std::vector<CoSumsWay> CoSumsWaysForTest();

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_CO_MOMENTS_H_
