#include "cli/log_redactor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "re2/re2.h"

namespace chartly::cli {
namespace {

constexpr char kRedacted[] = "[redacted]";

struct Rule {
  const char* pattern;
  const char* with;  // in its place; \1 is what stays
};

// Values end where a quote, a space or the next field begins. A value that is redacted already is not counted again.
const Rule kRules[] = {
    {R"((?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)\s+)[^\s"',\[][^\s"',]*)",
     "\\1[redacted]"},
    // Without a scheme; none of the schemes is so long.
    {R"((?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^\s"',\[][^\s"',]{6,})", "\\1[redacted]"},
    {R"((?i)((?:set-)?cookie["']?\s*[:=]\s*["']?)[^\s"'\[][^"']*)", "\\1[redacted]"},
    {R"((?i)([a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?\s*[:=]\s*["']?)[^\s"'&,;\[][^\s"'&,;]*)",
     "\\1[redacted]"},
    {R"(([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:)[^\s/@"'\[][^\s/@"']*(?:@))", "\\1[redacted]@"},
    {R"(chk_[A-Za-z0-9._-]{8,})", "[redacted]"},
    {R"(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*)", "[redacted]"},
    {R"(\bA(?:KIA|SIA)[0-9A-Z]{16}\b)", "[redacted]"},
};

const std::vector<std::pair<const RE2*, const char*>>& Rules() {
  static const auto* const rules = [] {
    auto* made = new std::vector<std::pair<const RE2*, const char*>>();
    for (const Rule& rule : kRules) made->emplace_back(new RE2(rule.pattern), rule.with);
    return made;
  }();
  return *rules;
}

}  // namespace

LogRedactor::LogRedactor(std::vector<std::string> known) : known_(std::move(known)) {
  known_.erase(std::remove_if(known_.begin(), known_.end(), [](const std::string& each) { return each.size() < 8; }),
               known_.end());
}

std::string LogRedactor::Redact(absl::string_view line) {
  if (in_key_) {
    in_key_ = !absl::StrContains(line, "-----END ");
    return kRedacted;
  }
  std::string text(line);
  for (const std::string& secret : known_) count_ += absl::StrReplaceAll({{secret, kRedacted}}, &text);
  for (const auto& [pattern, with] : Rules()) count_ += RE2::GlobalReplace(&text, *pattern, with);
  // The whole block goes: on one line with its breaks escaped, or over the lines that follow.
  const size_t begin = text.find("-----BEGIN ");
  if (begin != std::string::npos && absl::StrContains(text, "PRIVATE KEY-----")) {
    ++count_;
    in_key_ = text.find("-----END ", begin) == std::string::npos;
    text.replace(begin, std::string::npos, kRedacted);
  }
  return text;
}

}  // namespace chartly::cli
