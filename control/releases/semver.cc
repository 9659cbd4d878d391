#include "control/releases/semver.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace chartly::releases {
namespace {

constexpr size_t kMaxBytes = 128;

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool HasLeadingZero(absl::string_view text) { return text.size() > 1 && text[0] == '0'; }

bool IsIdentifier(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

bool AreIdentifiers(absl::string_view text, bool zeros_allowed) {
  for (absl::string_view part : absl::StrSplit(text, '.')) {
    if (!IsIdentifier(part)) return false;
    if (!zeros_allowed && IsNumber(part) && HasLeadingZero(part)) return false;
  }
  return true;
}

}  // namespace

bool IsSemver(absl::string_view text) {
  if (text.size() > kMaxBytes) return false;
  const size_t plus = text.find('+');
  if (plus != absl::string_view::npos) {
    if (!AreIdentifiers(text.substr(plus + 1), true)) return false;
    text = text.substr(0, plus);
  }
  const size_t dash = text.find('-');
  if (dash != absl::string_view::npos) {
    if (!AreIdentifiers(text.substr(dash + 1), false)) return false;
    text = text.substr(0, dash);
  }
  std::vector<absl::string_view> numbers = absl::StrSplit(text, '.');
  return numbers.size() == 3 && std::all_of(numbers.begin(), numbers.end(), [](absl::string_view number) {
           return IsNumber(number) && !HasLeadingZero(number);
         });
}

}  // namespace chartly::releases
