#include "common/profile/profile.h"

#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// Longest first, so that "ms" is not read as "m".
const std::pair<absl::string_view, absl::Duration> kDurationUnits[] = {
    {"ms", absl::Milliseconds(1)}, {"s", absl::Seconds(1)}, {"m", absl::Minutes(1)},
    {"h", absl::Hours(1)},         {"d", absl::Hours(24)},  {"y", absl::Hours(24 * 365)},
};

const std::pair<absl::string_view, int64_t> kByteUnits[] = {
    {"KiB", int64_t{1} << 10}, {"MiB", int64_t{1} << 20}, {"GiB", int64_t{1} << 30}};

// Takes leading digits off `text`; false without any, or with more than nine.
bool TakeNumber(absl::string_view& text, int64_t& number) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  if (digits == 0 || digits > 9 || !absl::SimpleAtoi(text.substr(0, digits), &number)) return false;
  text.remove_prefix(digits);
  return true;
}

bool TakeUnit(absl::string_view& text, absl::Duration& unit) {
  for (const auto& [name, length] : kDurationUnits) {
    if (text.substr(0, name.size()) != name) continue;
    text.remove_prefix(name.size());
    unit = length;
    return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration total = absl::ZeroDuration();
  absl::string_view rest = text;
  do {
    int64_t number = 0;
    absl::Duration unit;
    if (!TakeNumber(rest, number) || !TakeUnit(rest, unit)) {
      return Error(absl::StatusCode::kInvalidArgument, "DURATION_INVALID",
                   absl::StrCat("\"", text.substr(0, 64),
                                "\" is not a duration; write a number and one of ms, s, m, h, d, y: 90s"));
    }
    total += number * unit;
  } while (!rest.empty());
  return total;
}

std::string DurationText(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return "forever";
  if (duration == absl::ZeroDuration()) return "0s";
  const std::pair<absl::string_view, absl::Duration>* best = &kDurationUnits[0];
  for (const auto& unit : kDurationUnits) {
    if (duration % unit.second == absl::ZeroDuration() && unit.second > best->second) best = &unit;
  }
  return absl::StrCat(duration / best->second, best->first);
}

absl::StatusOr<int64_t> ParseByteSize(absl::string_view text) {
  absl::string_view digits = text;
  int64_t factor = 1;
  for (const auto& [name, bytes] : kByteUnits) {
    if (digits.size() <= name.size() || digits.substr(digits.size() - name.size()) != name) continue;
    digits.remove_suffix(name.size());
    factor = bytes;
    break;
  }
  int64_t number = 0;
  // SimpleAtoi alone takes signs and blanks.
  bool is_number = digits.find_first_not_of("0123456789") == digits.npos && absl::SimpleAtoi(digits, &number);
  if (!is_number || number > std::numeric_limits<int64_t>::max() / factor) {
    return Error(absl::StatusCode::kInvalidArgument, "BYTE_SIZE_INVALID",
                 absl::StrCat("\"", text.substr(0, 64),
                              "\" is not a size; write bytes, or a number and one of KiB, MiB, GiB: 64MiB"));
  }
  return number * factor;
}

absl::StatusOr<RequestRate> ParseRequestRate(absl::string_view text) {
  absl::string_view rest = text;
  int64_t number = 0;
  if (TakeNumber(rest, number) && number > 0) {
    if (rest == "/s") return RequestRate{number, absl::Seconds(1)};
    if (rest == "/m") return RequestRate{number, absl::Minutes(1)};
    if (rest == "/h") return RequestRate{number, absl::Hours(1)};
  }
  return Error(absl::StatusCode::kInvalidArgument, "RATE_INVALID",
               absl::StrCat("\"", text.substr(0, 64),
                            "\" is not a rate; write a number for a second, minute or hour: ", "10/s, 5/m, 100/h"));
}

absl::StatusOr<double> ParseRate(absl::string_view text) {
  ASSIGN_OR_RETURN(RequestRate rate, ParseRequestRate(text));
  return static_cast<double>(rate.requests) / absl::ToDoubleSeconds(rate.period);
}

bool IsValidId(absl::string_view id) {
  if (id.empty() || id.size() > 63) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    bool letter = absl::ascii_islower(id[i]) || absl::ascii_isdigit(id[i]);
    bool mark = id[i] == '.' || id[i] == '_' || id[i] == '-';
    if (!letter && (i == 0 || !mark)) return false;
  }
  return true;
}

absl::string_view FieldRolePrefix(FieldRole role) {
  switch (role) {
    case FieldRole::kDim:
      return "dims";
    case FieldRole::kMeasure:
      return "measures";
    case FieldRole::kAttr:
      return "attrs";
  }
  return "";
}

}  // namespace chartly
