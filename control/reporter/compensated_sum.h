// Neumaier's sum in long double. Header only.
#ifndef CHARTLY_CONTROL_REPORTER_COMPENSATED_SUM_H_
#define CHARTLY_CONTROL_REPORTER_COMPENSATED_SUM_H_

#include <cmath>

namespace chartly::reporter {

// What an addition rounds off is kept and added at the end.
class CompensatedSum {
 public:
  void Add(long double term) {
    long double next = sum_ + term;
    rest_ += std::fabs(sum_) >= std::fabs(term) ? (sum_ - next) + term : (term - next) + sum_;
    sum_ = next;
  }
  // One that was summed elsewhere.
  void Add(const CompensatedSum& other) {
    Add(other.sum_);
    rest_ += other.rest_;
  }
  long double Total() const { return sum_ + rest_; }
  // The total in two parts, which have more digits than one.
  long double high() const { return sum_; }
  long double low() const { return rest_; }

 private:
  long double sum_ = 0;
  long double rest_ = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_COMPENSATED_SUM_H_
