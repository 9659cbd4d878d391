#include "control/reporter/value_sum.h"

#include <cmath>
#include <limits>

namespace chartly::reporter {
namespace {

// Far from the end of 128 bits, so that one more addition cannot pass it.
const absl::int128 kLimit = absl::MakeInt128(int64_t{1} << 60, 0);
constexpr int kMaxScale = 38;

bool Rescale(Decimal& decimal, uint8_t scale) {
  while (decimal.scale < scale) {
    if (decimal.unscaled > kLimit / 10 || decimal.unscaled < -kLimit / 10) return false;
    decimal.unscaled *= 10;
    ++decimal.scale;
  }
  return true;
}

}  // namespace

bool ValueSum::TakeExactly(const Value& value, int sign) {
  if (value.type() == ValueType::kFloat) return false;
  has_decimal_ = has_decimal_ || value.type() == ValueType::kDecimal;
  Decimal term = value.type() == ValueType::kInteger ? Decimal{value.integer(), 0} : value.decimal();
  if (term.scale > kMaxScale || !Rescale(term, total_.scale) || !Rescale(total_, term.scale)) return false;
  if (term.unscaled > kLimit || term.unscaled < -kLimit || total_.unscaled > kLimit || total_.unscaled < -kLimit) {
    return false;
  }
  total_.unscaled += sign < 0 ? -term.unscaled : term.unscaled;
  return true;
}

void ValueSum::Take(const Value& value, int sign) {
  long double number = static_cast<long double>(value.ToDouble());
  if (value.type() == ValueType::kInteger) number = static_cast<long double>(value.integer());
  rounded_.Add(sign < 0 ? -number : number);
  exact_ = exact_ && TakeExactly(value, sign);
}

void ValueSum::Add(const Value& value) { Take(value, 1); }

void ValueSum::Subtract(const Value& value) { Take(value, -1); }

long double ValueSum::Number() const {
  if (!exact_) return rounded_.Total();
  return static_cast<long double>(total_.unscaled) / std::pow(10.0L, static_cast<long double>(total_.scale));
}

Value ValueSum::Total() const {
  if (!exact_) {
    double rounded = static_cast<double>(rounded_.Total());
    return std::isfinite(rounded) ? Value::Float(rounded) : Value();
  }
  bool fits =
      total_.unscaled >= std::numeric_limits<int64_t>::min() && total_.unscaled <= std::numeric_limits<int64_t>::max();
  if (!has_decimal_ && fits) return Value::Integer(static_cast<int64_t>(total_.unscaled));
  return Value::Of(total_);
}

}  // namespace chartly::reporter
