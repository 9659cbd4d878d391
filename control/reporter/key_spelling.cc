#include "control/reporter/key_spelling.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "common/value/canonical_number.h"

namespace chartly::reporter {
namespace {

constexpr int kPlacesMax = 38;

Value SpellingOfWhole(absl::int128 whole) {
  if (whole < std::numeric_limits<int64_t>::min() || whole > std::numeric_limits<int64_t>::max()) {
    return Value::Of(Decimal{whole, 0});
  }
  return Value::Integer(static_cast<int64_t>(whole));
}

// Requires: a decimal or a float.
Value SpellingOfNumber(const Value& value) {
  const bool is_float = value.type() == ValueType::kFloat;
  // Most floats that are keys are years and the like.
  constexpr double kExactBelow = 9007199254740992.0;
  if (is_float && std::fabs(value.float_value()) < kExactBelow &&
      std::trunc(value.float_value()) == value.float_value()) {
    return Value::Integer(static_cast<int64_t>(value.float_value()));
  }
  const CanonicalNumber number = is_float ? CanonicalOf(value.float_value()) : CanonicalOf(value.decimal());
  // What only a float can be.
  if (number.exponent < -kPlacesMax || number.exponent > kPlacesMax) return value;
  if (number.exponent < 0) return Value::Of(Decimal{number.unscaled, static_cast<uint8_t>(-number.exponent)});
  const absl::uint128 power = PowerOfTen(number.exponent);
  if (Magnitude(number.unscaled) > static_cast<absl::uint128>(absl::Int128Max()) / power) return value;
  return SpellingOfWhole(number.unscaled * static_cast<absl::int128>(power));
}

// Without making it.
bool HasKeySpelling(const Value& value) {
  switch (value.type()) {
    case ValueType::kDecimal:
    case ValueType::kFloat:
      return KeySpelling(value) == value;
    case ValueType::kTimestamp:
      return value.timestamp().offset_minutes == 0;
    default:
      return true;
  }
}

}  // namespace

Value KeySpelling(Value value) {
  switch (value.type()) {
    case ValueType::kDecimal:
    case ValueType::kFloat:
      return SpellingOfNumber(value);
    case ValueType::kTimestamp:
      return Value::Of(Timestamp{value.timestamp().micros, 0});
    default:
      return value;
  }
}

DictionaryPtr SpellKeys(const DictionaryPtr& values) {
  const auto first = std::find_if_not(values->begin(), values->end(), HasKeySpelling);
  if (first == values->end()) return values;
  auto spelled = std::make_shared<Dictionary>(*values);
  for (Value& value : *spelled) value = KeySpelling(std::move(value));
  return spelled;
}

}  // namespace chartly::reporter
