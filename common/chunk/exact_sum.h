// The exact sum of doubles, whatever their order and size: a short list of doubles that do not overlap, whose sum it
// is. Sums of parts can be added, and give the same as the sum of all. Not thread-safe; copyable.
#ifndef CHARTLY_COMMON_CHUNK_EXACT_SUM_H_
#define CHARTLY_COMMON_CHUNK_EXACT_SUM_H_

#include <cmath>
#include <vector>

namespace chartly {

class ExactSum {
 public:
  // Requires: finite.
  void Add(double value);
  void Add(const ExactSum& other);
  // False once a partial sum was past the largest double; the sum is lost then.
  bool finite() const { return finite_ && std::isfinite(Rounded()); }
  // The nearest double, ties to even. 0 if there is nothing.
  double Rounded() const;
  // The sum as few doubles, the largest first and none zero; the same whatever the order of adding was. Requires:
  // finite().
  std::vector<double> Parts() const;

 private:
  std::vector<double> parts_;  // smallest first, none zero
  bool finite_ = true;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_EXACT_SUM_H_
