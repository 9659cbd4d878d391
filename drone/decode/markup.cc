#include "drone/decode/markup.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace chartly::drone {
namespace {

// Leaves out what stands before the first element; false if `text` ends before that.
bool SkipProlog(absl::string_view& text) {
  constexpr absl::string_view kEnds[][2] = {{"<?", "?>"}, {"<!--", "-->"}, {"<!", ">"}};
  while (true) {
    text = absl::StripLeadingAsciiWhitespace(text);
    const auto* part = std::find_if(std::begin(kEnds), std::end(kEnds),
                                    [&](const auto& ends) { return absl::StartsWith(text, ends[0]); });
    if (part == std::end(kEnds)) return !text.empty();
    // An internal subset holds > of its own.
    size_t bracket = text.find('[');
    bool subset = (*part)[0] == "<!" && bracket < text.find('>');
    size_t end = subset ? text.find("]", bracket) : text.find((*part)[1]);
    if (end == absl::string_view::npos) return false;
    text.remove_prefix(subset ? std::min(text.find('>', end), text.size() - 1) + 1 : end + (*part)[1].size());
  }
}

absl::string_view LocalName(absl::string_view name) {
  name = name.substr(0, name.find_first_of(" \t\r\n/>"));
  return name.substr(name.find(':') == absl::string_view::npos ? 0 : name.find(':') + 1);
}

bool IsHtmlName(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "html") || absl::EqualsIgnoreCase(name, "head") ||
         absl::EqualsIgnoreCase(name, "body");
}

}  // namespace

Markup MarkupOf(absl::string_view text) {
  text = absl::StripLeadingAsciiWhitespace(text);
  const bool declared = absl::StartsWith(text, "<?xml");
  if (!absl::StartsWith(text, "<")) return Markup::kNone;
  if (absl::StartsWithIgnoreCase(text, "<!doctype html")) return Markup::kHtml;
  if (!SkipProlog(text)) return declared ? Markup::kXml : Markup::kHtml;
  if (!absl::ConsumePrefix(&text, "<")) return Markup::kNone;
  absl::string_view name = LocalName(text);
  if (IsHtmlName(name)) return Markup::kHtml;
  return name == "rss" || name == "feed" || name == "RDF" ? Markup::kFeed : Markup::kXml;
}

}  // namespace chartly::drone
