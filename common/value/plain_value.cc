#include "common/value/plain_value.h"

#include <chrono>

#include "common/value/time_units.h"

namespace chartly {
namespace {

constexpr double kPowersOfTen[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// Reads digits at fixed places; one bad one makes all of it bad.
class Digits {
 public:
  explicit Digits(const char* text) : text_(text) {}
  unsigned Two(size_t at) { return One(at) * 10 + One(at + 1); }
  bool good() const { return good_; }

 private:
  unsigned One(size_t at) {
    const auto digit = static_cast<unsigned char>(text_[at] - '0');
    good_ = good_ && digit <= 9;
    return digit;
  }

  const char* const text_;
  bool good_ = true;
};

// The first ten characters.
bool ReadDays(const char* text, int64_t& days) {
  Digits digits(text);
  const auto year = static_cast<int>(digits.Two(0) * 100 + digits.Two(2));
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(digits.Two(5)),
                                         std::chrono::day(digits.Two(8)));
  if (!digits.good() || text[4] != '-' || text[7] != '-' || year == 0 || !date.ok()) return false;
  days = std::chrono::sys_days(date).time_since_epoch().count();
  return true;
}

}  // namespace

bool ReadLongPlainNumber(absl::string_view digits, bool negative, PlainNumber& number) {
  constexpr size_t kMaxDigits = 18;
  if (digits.size() > kMaxDigits + 1) return false;
  const char* point = nullptr;
  uint64_t unscaled = 0;
  for (const char& c : digits) {
    const auto digit = static_cast<unsigned char>(c - '0');
    if (digit <= 9) {
      unscaled = unscaled * 10 + digit;
    } else if (c == '.' && point == nullptr) {
      point = &c;
    } else {
      return false;
    }
  }
  const size_t count = digits.size() - (point == nullptr ? 0 : 1);
  if (count == 0 || count > kMaxDigits) return false;
  number.unscaled = negative ? -static_cast<int64_t>(unscaled) : static_cast<int64_t>(unscaled);
  number.has_point = point != nullptr;
  number.scale = point == nullptr ? 0 : static_cast<uint8_t>(digits.data() + digits.size() - point - 1);
  return true;
}

bool ReadPlainFloat(absl::string_view text, double& number) {
  constexpr int64_t kLimit = 1'000'000'000'000'000;  // both it and the power of ten are exact doubles
  PlainNumber plain;
  if (!ReadPlainNumber(text, plain) || plain.scale > 15) return false;
  const bool minus_zero = plain.unscaled == 0 && text[0] == '-';
  if (minus_zero || plain.unscaled > kLimit || plain.unscaled < -kLimit) return false;
  number = static_cast<double>(plain.unscaled) / kPowersOfTen[plain.scale];
  return true;
}

bool ReadPlainDate(absl::string_view text, Date& date) {
  int64_t days = 0;
  if (text.size() != 10 || !ReadDays(text.data(), days)) return false;
  date.days = static_cast<int32_t>(days);
  return true;
}

bool ReadPlainTimestamp(absl::string_view text, Timestamp& time) {
  int64_t days = 0;
  if (text.size() != 20 || !ReadDays(text.data(), days)) return false;
  Digits digits(text.data());
  const unsigned hour = digits.Two(11), minute = digits.Two(14), second = digits.Two(17);
  const bool marks = text[10] == 'T' && text[13] == ':' && text[16] == ':' && text[19] == 'Z';
  if (!marks || !digits.good() || hour > 23 || minute > 59 || second > 59) return false;
  const int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
  time = {seconds * kMicrosPerSecond, 0};
  return true;
}

}  // namespace chartly
