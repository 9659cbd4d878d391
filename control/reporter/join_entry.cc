#include "control/reporter/join_entry.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/status/status.h"

namespace chartly::reporter {
namespace {

absl::Status Invalid(absl::string_view where, absl::string_view text, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "REPORT_FIELD_INVALID",
               absl::StrCat(where, " \"", text, "\" ", why));
}

// The parts between the bars that do not stand in quotes.
std::vector<std::string> SplitAtBars(absl::string_view text) {
  std::vector<std::string> parts(1);
  char quote = '\0';
  for (char c : text) {
    if (quote != '\0') {
      quote = c == quote ? '\0' : quote;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '|') {
      parts.emplace_back();
      continue;
    }
    parts.back() += c;
  }
  for (std::string& part : parts) part = std::string(absl::StripAsciiWhitespace(part));
  return parts;
}

// "2h", "1d", "36h" or a plain number.
std::optional<JoinKey::Nearest> ParseTolerance(absl::string_view text) {
  JoinKey::Nearest nearest;
  if (absl::SimpleAtod(text, &nearest.number)) {
    return std::isfinite(nearest.number) && nearest.number >= 0 ? std::optional(nearest) : std::nullopt;
  }
  int64_t days = 0;
  absl::string_view count = text;
  absl::Duration length;
  if (absl::ConsumeSuffix(&count, "d") && absl::SimpleAtoi(count, &days) && days >= 0 && days < 1'000'000) {
    length = absl::Hours(24 * days);
  } else if (!absl::ParseDuration(text, &length) || length < absl::ZeroDuration() || length > absl::Hours(24'000'000)) {
    return std::nullopt;
  }
  nearest.is_time = true;
  nearest.micros = absl::ToInt64Microseconds(length);
  return nearest;
}

}  // namespace

absl::StatusOr<JoinEntry> ParseJoinEntry(absl::string_view text, absl::string_view where) {
  JoinEntry entry;
  std::vector<std::string> parts = SplitAtBars(text);
  for (absl::string_view name : absl::StrSplit(parts[0], '=')) {
    entry.names.emplace_back(absl::StripAsciiWhitespace(name));
    if (BareName(entry.names.back()).empty()) return Invalid(where, text, "lacks the name of a dim");
  }
  std::vector<std::string> calls(parts.begin() + 1, parts.end());
  absl::string_view last = calls.empty() ? "" : calls.back();
  if (absl::ConsumePrefix(&last, "nearest ")) {
    entry.nearest = ParseTolerance(absl::StripAsciiWhitespace(last));
    if (!entry.nearest)
      return Invalid(where, text, "needs a length of time such as 2h or 3d, or a number, after nearest");
    calls.pop_back();
  }
  if (calls.empty()) return entry;
  absl::StatusOr<ValuePipeline> rules = ValuePipeline::Compile(calls);
  if (!rules.ok()) return Annotate(rules.status(), absl::StrCat(where, " \"", text, "\""));
  entry.rules = std::make_shared<const ValuePipeline>(*std::move(rules));
  return entry;
}

}  // namespace chartly::reporter
