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

// Numbers without leading zeros, of any length.
int CompareNumbers(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int CompareIdentifiers(absl::string_view a, absl::string_view b) {
  const bool a_number = IsNumber(a), b_number = IsNumber(b);
  if (a_number && b_number) return CompareNumbers(a, b);
  if (a_number != b_number) return a_number ? -1 : 1;
  return a.compare(b);
}

struct Version {
  std::vector<absl::string_view> numbers;
  std::vector<absl::string_view> before;  // of a version before the release; empty for the release itself
};

Version Split(absl::string_view text) {
  text = text.substr(0, text.find('+'));
  const size_t dash = text.find('-');
  Version version{absl::StrSplit(text.substr(0, dash), '.'), {}};
  if (dash != absl::string_view::npos) version.before = absl::StrSplit(text.substr(dash + 1), '.');
  return version;
}

}  // namespace

int CompareSemver(absl::string_view a, absl::string_view b) {
  const Version left = Split(a), right = Split(b);
  for (size_t i = 0; i < left.numbers.size(); ++i) {
    const int order = CompareNumbers(left.numbers[i], right.numbers[i]);
    if (order != 0) return order;
  }
  if (left.before.empty() || right.before.empty()) {
    return static_cast<int>(left.before.empty()) - static_cast<int>(right.before.empty());
  }
  for (size_t i = 0; i < std::min(left.before.size(), right.before.size()); ++i) {
    const int order = CompareIdentifiers(left.before[i], right.before[i]);
    if (order != 0) return order;
  }
  return left.before.size() == right.before.size() ? 0 : left.before.size() < right.before.size() ? -1 : 1;
}

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
