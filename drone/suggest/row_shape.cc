#include "drone/suggest/row_shape.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/payload.h"

namespace chartly::drone {
namespace {

constexpr absl::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$@";

bool IsFeed(absl::string_view text) {
  size_t root = text.find_first_not_of(" \t\r\n");
  for (size_t at = root; at < text.size(); at = text.find('<', at + 1)) {
    absl::string_view tag = text.substr(at + 1, 8);
    if (absl::StartsWith(tag, "?") || absl::StartsWith(tag, "!")) continue;
    return absl::StartsWith(tag, "rss") || absl::StartsWith(tag, "feed") || absl::StartsWith(tag, "rdf:RDF");
  }
  return false;
}

RowShapeGuess Feed() {
  RowShapeGuess guess;
  guess.source.format = Format::kRss;
  guess.paths = {"id", "title", "link", "published", "updated", "author", "categories", "summary"};
  guess.confidence = 0.95;
  guess.why = "a feed: every item or entry is a row";
  return guess;
}

}  // namespace

std::string AppendStep(absl::string_view path, absl::string_view key) {
  bool plain = !key.empty() && key.find_first_not_of(kPlain) == key.npos;
  if (!plain) {
    std::string quoted;
    for (char c : key) {
      if (c == '"' || c == '\\') quoted.push_back('\\');
      quoted.push_back(c);
    }
    return absl::StrCat(path, "[\"", quoted, "\"]");
  }
  return path.empty() ? std::string(key) : absl::StrCat(path, ".", key);
}

absl::StatusOr<RowShapeGuess> GuessRowShape(absl::string_view payload, absl::string_view content_type,
                                            absl::string_view uri) {
  absl::string_view text = payload;
  if (absl::StartsWith(text, "\xef\xbb\xbf")) text.remove_prefix(3);
  PageInfo page{Format::kAuto, content_type, uri, text.substr(0, 4096)};
  absl::string_view start = absl::StripLeadingAsciiWhitespace(text);
  if (absl::StartsWith(start, "<")) return IsFeed(start) ? absl::StatusOr<RowShapeGuess>(Feed()) : GuessXml(text);
  switch (DetectFormat(Format::kAuto, page)) {
    case Format::kNdjson:
      return GuessNdjson(text);
    case Format::kCsv:
      return GuessTable(text, 0);
    case Format::kTsv:
      return GuessTable(text, '\t');
    default:
      break;
  }
  if (!absl::StartsWith(start, "{") && !absl::StartsWith(start, "[")) return GuessTable(text, 0);
  absl::StatusOr<RowShapeGuess> json = GuessJson(text);
  // Documents one below the other, whatever the name says.
  if (!json.ok() && Reason(json.status()) == "PAYLOAD_NOT_JSON") {
    absl::StatusOr<RowShapeGuess> lines = GuessNdjson(text);
    if (lines.ok()) return lines;
  }
  return json;
}

}  // namespace chartly::drone
