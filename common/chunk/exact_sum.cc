#include "common/chunk/exact_sum.h"

#include <cmath>
#include <utility>

namespace chartly {

void ExactSum::Add(double value) {
  if (!finite_) return;
  size_t kept = 0;
  for (double part : parts_) {
    if (std::fabs(value) < std::fabs(part)) std::swap(value, part);
    const double sum = value + part;
    const double rest = part - (sum - value);  // exact, since |value| >= |part|
    if (rest != 0) parts_[kept++] = rest;
    value = sum;
  }
  parts_.resize(kept);
  if (value != 0) parts_.push_back(value);
  if (std::isfinite(value)) return;
  finite_ = false;
  parts_.clear();
}

void ExactSum::Add(const ExactSum& other) {
  if (!other.finite_) {
    finite_ = false;
    parts_.clear();
    return;
  }
  for (double part : other.parts_) Add(part);
}

double ExactSum::Rounded() const {
  size_t left = parts_.size();
  if (left == 0) return 0;
  double high = parts_[--left];
  double low = 0;
  while (left > 0) {
    const double before = high;
    const double part = parts_[--left];
    high = before + part;
    low = part - (high - before);
    if (low != 0) break;
  }
  // Half-way cases were rounded to even without knowing the parts below.
  if (left > 0 && ((low < 0 && parts_[left - 1] < 0) || (low > 0 && parts_[left - 1] > 0))) {
    const double twice = low * 2;
    const double next = high + twice;
    if (twice == next - high) high = next;
  }
  return high;
}

std::vector<double> ExactSum::Parts() const {
  std::vector<double> parts;
  for (ExactSum rest = *this; !rest.parts_.empty(); rest.Add(-parts.back())) parts.push_back(rest.Rounded());
  return parts;
}

}  // namespace chartly
