#include "common/value/value.h"

#include <bit>
#include <charconv>
#include <cstring>

#include "common/value/canonical_number.h"

namespace chartly {
namespace {

// Classes of values in their order. Part of record ids (docs/formats/record_id.md): never change them.
enum class ValueClass : uint8_t { kNull = 0, kBoolean = 1, kNumber = 2, kDate = 3, kTimestamp = 4, kText = 5 };

ValueClass ClassOf(ValueType type) {
  switch (type) {
    case ValueType::kNull:
      return ValueClass::kNull;
    case ValueType::kText:
      return ValueClass::kText;
    case ValueType::kInteger:
    case ValueType::kDecimal:
    case ValueType::kFloat:
      return ValueClass::kNumber;
    case ValueType::kBoolean:
      return ValueClass::kBoolean;
    case ValueType::kTimestamp:
      return ValueClass::kTimestamp;
    case ValueType::kDate:
      return ValueClass::kDate;
  }
  return ValueClass::kNull;
}

CanonicalNumber NumberOf(const Value& value) {
  if (value.type() == ValueType::kInteger) return CanonicalOf(value.integer());
  if (value.type() == ValueType::kDecimal) return CanonicalOf(value.decimal());
  return CanonicalOf(value.float_value());
}

// Little-endian, whatever the machine is.
void AppendLittleEndian(uint64_t number, size_t bytes, std::string& out) {
  char buffer[8];
  for (size_t i = 0; i < sizeof(buffer); ++i) buffer[i] = static_cast<char>(number >> (8 * i));
  out.append(buffer, bytes);
}

// The class, 16 bytes of the unscaled number, two of the exponent.
void StoreNumber(const CanonicalNumber& number, char* to) {
  static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory");
  const uint64_t low = absl::Int128Low64(number.unscaled);
  const int64_t high = absl::Int128High64(number.unscaled);
  *to = static_cast<char>(ValueClass::kNumber);
  std::memcpy(to + 1, &low, 8);
  std::memcpy(to + 9, &high, 8);
  std::memcpy(to + 17, &number.exponent, 2);
}

template <typename T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

double DecimalToDouble(Decimal decimal) {
  // Both parts exact in a double: one division rounds once, hence right.
  constexpr int kExactPowers = 22;
  constexpr int64_t kExactBelow = int64_t{1} << 53;
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (decimal.scale <= kExactPowers && decimal.unscaled > -kExactBelow && decimal.unscaled < kExactBelow) {
    return static_cast<double>(static_cast<int64_t>(decimal.unscaled)) / kPowers[decimal.scale];
  }
  char text[48];  // "-", up to 39 digits, "e-255"
  char* end = text;
  if (decimal.unscaled < 0) *end++ = '-';
  end = WriteDigits(Magnitude(decimal.unscaled), end);
  *end++ = 'e';
  *end++ = '-';
  end = std::to_chars(end, text + sizeof(text), int{decimal.scale}).ptr;
  double result = 0;
  std::from_chars(text, end, result);
  return result;
}

std::string FormatFloat(double number) {
  char text[40];
  auto written = std::to_chars(text, text + sizeof(text), number);
  return std::string(text, written.ptr);
}

}  // namespace

absl::string_view ValueTypeName(ValueType type) {
  static constexpr const char* kNames[] = {"null",  "text",    "integer",   "decimal",
                                           "float", "boolean", "timestamp", "date"};
  return kNames[static_cast<size_t>(type)];
}

double Value::ToDouble() const {
  if (type() == ValueType::kInteger) return static_cast<double>(integer());
  if (type() == ValueType::kDecimal) return DecimalToDouble(decimal());
  return float_value();
}

std::string Value::ToText() const {
  switch (type()) {
    case ValueType::kNull:
      return "";
    case ValueType::kText:
      return text();
    case ValueType::kInteger:
      return std::to_string(integer());
    case ValueType::kDecimal:
      return FormatDecimal(decimal());
    case ValueType::kFloat:
      return FormatFloat(float_value());
    case ValueType::kBoolean:
      return boolean() ? "true" : "false";
    case ValueType::kTimestamp:
      return FormatTimestamp(timestamp());
    case ValueType::kDate:
      return FormatDate(date());
  }
  return "";
}

void Value::AppendCanonical(std::string& out) const {
  ValueClass value_class = ClassOf(type());
  if (value_class == ValueClass::kText) return AppendCanonicalText(text(), out);
  if (value_class == ValueClass::kNumber) {
    char number[kCanonicalNumberBytes];
    StoreNumber(NumberOf(*this), number);
    out.append(number, sizeof(number));
    return;
  }
  out.push_back(static_cast<char>(value_class));
  switch (value_class) {
    case ValueClass::kNull:
    case ValueClass::kNumber:
    case ValueClass::kText:
      return;
    case ValueClass::kBoolean:
      out.push_back(boolean() ? 1 : 0);
      return;
    case ValueClass::kDate:
      AppendLittleEndian(static_cast<uint32_t>(date().days), 4, out);
      return;
    case ValueClass::kTimestamp:
      AppendLittleEndian(static_cast<uint64_t>(timestamp().micros), 8, out);
      return;
  }
}

void AppendCanonicalText(absl::string_view text, std::string& out) {
  out.push_back(static_cast<char>(ValueClass::kText));
  // The length keeps values apart when several are appended.
  AppendLittleEndian(text.size(), 8, out);
  out.append(text.data(), text.size());
}

void StoreCanonicalNumber(int64_t unscaled, uint8_t scale, char* to) { StoreNumber(CanonicalOf(unscaled, scale), to); }

int CompareValues(const Value& a, const Value& b) {
  ValueClass class_a = ClassOf(a.type());
  ValueClass class_b = ClassOf(b.type());
  if (class_a != class_b) return Order(class_a, class_b);
  switch (class_a) {
    case ValueClass::kNull:
      return 0;
    case ValueClass::kBoolean:
      return Order(a.boolean(), b.boolean());
    case ValueClass::kNumber:
      if (a.type() == ValueType::kInteger && b.type() == ValueType::kInteger) return Order(a.integer(), b.integer());
      return CompareCanonical(NumberOf(a), NumberOf(b));
    case ValueClass::kDate:
      return Order(a.date().days, b.date().days);
    case ValueClass::kTimestamp:
      return Order(a.timestamp().micros, b.timestamp().micros);
    case ValueClass::kText:
      return Order(a.text(), b.text());
  }
  return 0;
}

}  // namespace chartly
