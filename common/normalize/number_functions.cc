// Functions that make numbers of text, or change numbers. Integers and decimals stay exact.
#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/decimal_math.h"
#include "common/normalize/function.h"
#include "common/normalize/unit_table.h"
#include "common/status/status.h"
#include "common/value/canonical_number.h"

namespace chartly {
namespace {

using Arguments = std::vector<std::string>;

constexpr int kMaxFraction = 38;
constexpr int kConvertedDigits = 10;

// A function on numbers from one on decimals and one on doubles. Each says whether it could.
template <typename OnDecimal, typename OnFloat>
FunctionPtr MakeNumberFunction(OnDecimal on_decimal, OnFloat on_float, absl::string_view failure) {
  return MakeFunction([on_decimal, on_float, failure](Cell& cell, Scratch& scratch) {
    RETURN_IF_ERROR(CoerceToNumber(cell, scratch));
    if (cell.is_null()) return absl::OkStatus();
    if (cell.value.type() == ValueType::kFloat) {
      double number = cell.value.float_value();
      if (!on_float(number) || !std::isfinite(number)) return RefusedValue(cell.value.ToText(), failure);
      cell.SetTyped(Value::Float(number));
      return absl::OkStatus();
    }
    bool is_integer = cell.value.type() == ValueType::kInteger;
    Decimal number = is_integer ? Decimal{cell.value.integer(), 0} : cell.value.decimal();
    if (!on_decimal(number)) return RefusedValue(cell.value.ToText(), failure);
    cell.SetTyped(NumberOf(number));
    return absl::OkStatus();
  });
}

absl::StatusOr<FunctionPtr> MakeScale(const Arguments& arguments) {
  absl::StatusOr<Decimal> factor = ParseDecimal(arguments[0]);
  if (!factor.ok()) return factor.status();
  return MakeNumberFunction([factor = *factor](Decimal& number) { return Multiply(number, factor, number); },
                            [factor = Value::Of(*factor).ToDouble()](double& number) {
                              number *= factor;
                              return true;
                            },
                            "times the factor has more than 38 digits");
}

absl::StatusOr<FunctionPtr> MakeNegate(const Arguments&) {
  return MakeNumberFunction(
      [](Decimal& number) {
        number.unscaled = -number.unscaled;
        return true;
      },
      [](double& number) {
        number = 0 - number;  // zero has no sign
        return true;
      },
      "");
}

absl::StatusOr<FunctionPtr> MakeAbs(const Arguments&) {
  return MakeNumberFunction(
      [](Decimal& number) {
        if (number.unscaled < 0) number.unscaled = -number.unscaled;
        return true;
      },
      [](double& number) {
        number = std::fabs(number);
        return true;
      },
      "");
}

// A double is rounded in its decimal digits, so that 2.675 gives 2.68 and not what its binary neighbour gives.
void RoundFloat(double& number, int digits) {
  CanonicalNumber exact = CanonicalOf(number);
  if (exact.exponent >= 0 || exact.exponent < -kMaxFraction) {
    if (exact.exponent < 0) number = 0;
    return;
  }
  Decimal decimal{exact.unscaled, static_cast<uint8_t>(-exact.exponent)};
  number = Value::Of(RoundTo(decimal, digits)).ToDouble();
}

absl::StatusOr<FunctionPtr> MakeRound(const Arguments& arguments) {
  int digits = 0;
  if (!absl::SimpleAtoi(arguments[0], &digits) || digits < 0 || digits > 18) {
    return WrongArguments("the digits are a whole number from 0 to 18");
  }
  return MakeNumberFunction(
      [digits](Decimal& number) {
        number = RoundTo(number, digits);
        return true;
      },
      [digits](double& number) {
        RoundFloat(number, digits);
        return true;
      },
      "");
}

double RatioOf(const Ratio& ratio) {
  return static_cast<double>(ratio.numerator) / static_cast<double>(ratio.denominator);
}

absl::StatusOr<FunctionPtr> MakeConvert(const Arguments& arguments) {
  absl::StatusOr<UnitConversion> conversion = FindConversion(arguments[0], arguments[1]);
  if (!conversion.ok()) return conversion.status();
  return MakeNumberFunction(
      [unit = *conversion](Decimal& number) {
        return Add(number, unit.before, number) && MultiplyByRatio(number, unit.ratio, kConvertedDigits, number) &&
               Add(number, unit.after, number);
      },
      [unit = *conversion](double& number) {
        number = (number + Value::Of(unit.before).ToDouble()) * RatioOf(unit.ratio) + Value::Of(unit.after).ToDouble();
        return true;
      },
      "in the other unit has more than 38 digits");
}

bool IsSpace(absl::string_view separator) { return separator == " "; }

// Length of the separator of thousands at the start of the text; a blank stands for the no-break spaces, too.
size_t SeparatorBytes(absl::string_view text, absl::string_view separator) {
  if (!separator.empty() && text.substr(0, separator.size()) == separator) return separator.size();
  if (!IsSpace(separator)) return 0;
  for (absl::string_view space : {"\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89"}) {
    if (text.substr(0, space.size()) == space) return space.size();
  }
  return 0;
}

// Writes the number with a point and without separators. False if a separator stands where none can: "1,5" must not
// become 15. A group has three digits; further left two will do, as India writes it.
bool Plain(absl::string_view text, absl::string_view group, char point, std::string& out) {
  size_t digits = 0;  // since the last separator
  bool grouped = false;
  while (!text.empty() && text[0] != point) {
    size_t separator = SeparatorBytes(text, group);
    if (separator > 0) {
      if (digits == 0 || digits > 3 || (grouped && digits < 2)) return false;
      grouped = true;
      digits = 0;
      text.remove_prefix(separator);
      continue;
    }
    if (text[0] == '.' || text[0] == ',') return false;
    if (grouped && !absl::ascii_isdigit(text[0])) break;
    digits += absl::ascii_isdigit(text[0]) ? 1 : 0;
    out += text[0];
    text.remove_prefix(1);
  }
  if (grouped && digits != 3) return false;
  for (char c : text) out += c == point ? '.' : c;
  return true;
}

absl::StatusOr<FunctionPtr> MakeToNumber(const Arguments& arguments) {
  std::string group = arguments.empty() ? "," : arguments[0];
  std::string point = arguments.size() > 1 ? arguments[1] : ".";
  if (point != "." && point != ",") return WrongArguments("the decimal point is . or ,");
  if (group == point) return WrongArguments("the separator of thousands and the decimal point are the same");
  if (group.size() > 4 || group.find_first_of("0123456789+-eE") != std::string::npos) {
    return WrongArguments("the separator of thousands is one character, or '' for none");
  }
  return MakeFunction([group, point](Cell& cell, Scratch& scratch) {
    if (cell.kind != Cell::Kind::kText) return CoerceToNumber(cell, scratch);
    absl::string_view text = absl::StripAsciiWhitespace(cell.text);
    std::string& out = scratch.Next();
    if (!Plain(text, group, point[0], out)) return RefusedValue(text, "is not a number that is written this way");
    cell.SetText(out);
    return CoerceToNumber(cell, scratch);
  });
}

}  // namespace

std::vector<FunctionSpec> NumberFunctions() {
  return {
      {"to_number", 0, 2,
       "`to_number GROUP POINT`: a number with separators of thousands (`,` if left out) and a decimal point (`.`): "
       "`to_number . ,` takes 1.234,5",
       MakeToNumber},
      {"scale", 1, 1, "`scale F`: times F, exactly: `scale 1000`, `scale 0.01`", MakeScale},
      {"round", 1, 1, "`round N`: at most N digits after the point; a half goes away from zero", MakeRound},
      {"abs", 0, 0, "`abs`: without its sign", MakeAbs},
      {"negate", 0, 0, "`negate`: with the other sign", MakeNegate},
      {"convert", 2, 2,
       "`convert FROM TO`: in another unit, such as `convert degF degC`; exact, or with 10 digits after the point "
       "where "
       "the result has no end",
       MakeConvert},
  };
}

}  // namespace chartly
