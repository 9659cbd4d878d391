// Numbers and booleans from text, and decimals to text.
#include <charconv>
#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/value/canonical_number.h"
#include "common/value/plain_value.h"
#include "common/value/quote_text.h"
#include "common/value/value.h"

namespace chartly {
namespace {

constexpr int kMaxDecimalDigits = 38;

absl::Status NotA(absl::string_view what, absl::string_view text) {
  return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID", absl::StrCat(QuoteText(text), " is not ", what));
}

absl::Status TooLarge(absl::string_view text, absl::string_view limit) {
  return Error(absl::StatusCode::kOutOfRange, "VALUE_OUT_OF_RANGE",
               absl::StrCat(QuoteText(text), " does not fit ", limit));
}

// The parts of a decimal number in text.
struct NumberParts {
  bool negative = false;
  absl::string_view whole;     // digits before the point
  absl::string_view fraction;  // digits after it
  bool has_point = false;
  bool has_exponent = false;
  int exponent = 0;  // held within +-100000
};

absl::string_view TakeDigits(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[length]))) ++length;
  absl::string_view digits = text.substr(0, length);
  text.remove_prefix(length);
  return digits;
}

bool TakeSign(absl::string_view& text) {
  if (text.empty() || (text[0] != '-' && text[0] != '+')) return false;
  bool negative = text[0] == '-';
  text.remove_prefix(1);
  return negative;
}

bool TakeExponent(absl::string_view& text, NumberParts& parts) {
  if (text.empty() || (text[0] != 'e' && text[0] != 'E')) return true;
  text.remove_prefix(1);
  bool negative = TakeSign(text);
  absl::string_view digits = TakeDigits(text);
  if (digits.empty()) return false;
  constexpr int kBound = 100000;
  for (char digit : digits) parts.exponent = std::min(kBound, parts.exponent * 10 + (digit - '0'));
  if (negative) parts.exponent = -parts.exponent;
  parts.has_exponent = true;
  return true;
}

bool SplitNumber(absl::string_view text, NumberParts& parts) {
  parts.negative = TakeSign(text);
  parts.whole = TakeDigits(text);
  if (!text.empty() && text[0] == '.') {
    parts.has_point = true;
    text.remove_prefix(1);
    parts.fraction = TakeDigits(text);
  }
  if (parts.whole.empty() && parts.fraction.empty()) return false;
  return TakeExponent(text, parts) && text.empty();
}

// All digits of a number without leading zeros, read where they stand: most numbers of a source pass here.
class SignificantDigits {
 public:
  explicit SignificantDigits(const NumberParts& parts)
      : whole_(parts.whole), fraction_(parts.fraction), end_(whole_.size() + fraction_.size()) {
    while (begin_ < end_ && At(begin_) == '0') ++begin_;
  }
  bool empty() const { return begin_ == end_; }
  int size() const { return static_cast<int>(end_ - begin_); }
  char back() const { return At(end_ - 1); }
  void pop_back() { --end_; }
  // Requires: size() <= 38.
  absl::int128 Read(bool negative) const {
    absl::int128 number = 0;
    for (size_t i = begin_; i < end_; ++i) number = number * 10 + (At(i) - '0');
    return negative ? -number : number;
  }

 private:
  char At(size_t i) const { return i < whole_.size() ? whole_[i] : fraction_[i - whole_.size()]; }

  absl::string_view whole_;
  absl::string_view fraction_;
  size_t begin_ = 0;
  size_t end_;
};

absl::StatusOr<Decimal> MakeDecimal(const NumberParts& parts, absl::string_view text) {
  SignificantDigits digits(parts);
  int exponent = parts.exponent - static_cast<int>(parts.fraction.size());
  if (digits.empty()) {
    return Decimal{0, static_cast<uint8_t>(std::min(std::max(-exponent, 0), kMaxDecimalDigits))};
  }
  // Trailing zeros of the fraction say nothing about the value: they may go where there is no room for them.
  auto no_room = [&] { return -exponent > kMaxDecimalDigits || digits.size() > kMaxDecimalDigits; };
  while (exponent < 0 && no_room() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  bool fits = -exponent <= kMaxDecimalDigits && exponent <= kMaxDecimalDigits &&
              digits.size() + std::max(exponent, 0) <= kMaxDecimalDigits;
  if (!fits) return TooLarge(text, "a decimal of 38 digits");
  absl::int128 unscaled = digits.Read(parts.negative);
  for (; exponent > 0; --exponent) unscaled *= 10;
  return Decimal{unscaled, static_cast<uint8_t>(-exponent)};
}

absl::StatusOr<double> ReadDouble(const NumberParts& parts, absl::string_view text) {
  absl::string_view body = text;
  TakeSign(body);  // from_chars knows no '+'
  double number = 0;
  auto read = std::from_chars(body.data(), body.data() + body.size(), number);
  if (read.ec != std::errc() || read.ptr != body.data() + body.size() || !std::isfinite(number)) {
    return TooLarge(text, "a 64-bit float");
  }
  return parts.negative ? -number : number;
}

// Whether a double says exactly what the text says, digit for digit.
bool IsWithoutLoss(const NumberParts& parts, double number) {
  SignificantDigits digits(parts);
  int exponent = parts.exponent - static_cast<int>(parts.fraction.size());
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty() || digits.size() > 17 || exponent < -400 || exponent > 400) return false;
  CanonicalNumber exact{digits.Read(parts.negative), static_cast<int16_t>(exponent)};
  return exact == CanonicalOf(number);
}

}  // namespace

absl::StatusOr<int64_t> ParseInteger(absl::string_view text) {
  PlainNumber plain;
  if (ReadPlainNumber(text, plain) && !plain.has_point) return plain.unscaled;
  NumberParts parts;
  if (!SplitNumber(text, parts) || parts.has_point || parts.has_exponent) return NotA("an integer", text);
  absl::string_view body = text;
  if (body[0] == '+') body.remove_prefix(1);
  int64_t number = 0;
  auto read = std::from_chars(body.data(), body.data() + body.size(), number);
  if (read.ec != std::errc()) return TooLarge(text, "a 64-bit integer");
  return number;
}

absl::StatusOr<Decimal> ParseDecimal(absl::string_view text) {
  PlainNumber plain;
  if (ReadPlainNumber(text, plain)) return Decimal{plain.unscaled, plain.scale};
  NumberParts parts;
  if (!SplitNumber(text, parts)) return NotA("a decimal number", text);
  return MakeDecimal(parts, text);
}

absl::StatusOr<double> ParseFloat(absl::string_view text) {
  NumberParts parts;
  if (!SplitNumber(text, parts)) return NotA("a number", text);
  return ReadDouble(parts, text);
}

absl::StatusOr<bool> ParseBoolean(absl::string_view text) {
  for (absl::string_view word : {"true", "yes", "1"}) {
    if (absl::EqualsIgnoreCase(text, word)) return true;
  }
  for (absl::string_view word : {"false", "no", "0"}) {
    if (absl::EqualsIgnoreCase(text, word)) return false;
  }
  return NotA("true or false", text);
}

absl::StatusOr<Value> ParseNumber(absl::string_view text) {
  PlainNumber plain;
  if (ReadPlainNumber(text, plain)) {
    if (!plain.has_point) return Value::Integer(plain.unscaled);
    return Value::Of(Decimal{plain.unscaled, plain.scale});
  }
  NumberParts parts;
  if (!SplitNumber(text, parts)) return NotA("a number", text);
  if (!parts.has_point && !parts.has_exponent) {
    absl::StatusOr<int64_t> integer = ParseInteger(text);
    if (integer.ok()) return Value::Integer(*integer);
  }
  absl::StatusOr<Decimal> decimal = MakeDecimal(parts, text);
  if (decimal.ok()) return Value::Of(*decimal);
  absl::StatusOr<double> number = ReadDouble(parts, text);
  if (number.ok() && IsWithoutLoss(parts, *number)) return Value::Float(*number);
  return NotA("a number that fits 38 digits", text);
}

std::string FormatDecimal(Decimal decimal) {
  char buffer[40];
  std::string digits(buffer, WriteDigits(Magnitude(decimal.unscaled), buffer));
  if (digits.size() <= decimal.scale) digits.insert(0, decimal.scale + 1 - digits.size(), '0');
  if (decimal.scale > 0) digits.insert(digits.size() - decimal.scale, 1, '.');
  return decimal.unscaled < 0 ? absl::StrCat("-", digits) : digits;
}

}  // namespace chartly
