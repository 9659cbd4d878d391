#include "drone/decode/payload.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "drone/decode/markup.h"

namespace chartly::drone {
namespace {

constexpr size_t kShownBytes = 80;

struct KnownAs {
  absl::string_view name;
  Format format;
};

constexpr KnownAs kContentTypes[] = {
    {"application/json", Format::kJson},        {"text/json", Format::kJson},
    {"application/x-ndjson", Format::kNdjson},  {"application/ndjson", Format::kNdjson},
    {"application/jsonl", Format::kNdjson},     {"application/x-jsonlines", Format::kNdjson},
    {"application/jsonlines", Format::kNdjson}, {"text/csv", Format::kCsv},
    {"application/csv", Format::kCsv},          {"text/tab-separated-values", Format::kTsv},
};

constexpr KnownAs kEndings[] = {
    {".json", Format::kJson},    {".geojson", Format::kJson},    {".ndjson", Format::kNdjson},
    {".jsonl", Format::kNdjson}, {".geojsonl", Format::kNdjson}, {".csv", Format::kCsv},
    {".tsv", Format::kTsv},      {".tab", Format::kTsv},
};

std::optional<Format> FromContentType(absl::string_view content_type) {
  std::string type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
  for (const KnownAs& known : kContentTypes) {
    if (type == known.name) return known.format;
  }
  if (absl::EndsWith(type, "+json")) return Format::kJson;
  return std::nullopt;
}

std::optional<Format> FromEnding(absl::string_view uri) {
  std::string lower = absl::AsciiStrToLower(uri.substr(0, uri.find_first_of("?#")));
  absl::string_view path = lower;
  for (absl::string_view packing : {".gz", ".zst"}) absl::ConsumeSuffix(&path, packing);  // of a file, unpacked by now
  for (const KnownAs& known : kEndings) {
    if (absl::EndsWith(path, known.name)) return known.format;
  }
  return std::nullopt;
}

Format FromFirstBytes(absl::string_view body) {
  if (MarkupOf(body) == Markup::kFeed) return Format::kRss;
  if (MarkupOf(body) == Markup::kXml) return Format::kXml;
  absl::string_view text = absl::StripLeadingAsciiWhitespace(body);
  if (text.empty() || text[0] == '{' || text[0] == '[' || text[0] == '<') return Format::kJson;
  absl::string_view line = text.substr(0, text.find('\n'));
  if (absl::StrContains(line, "\t")) return Format::kTsv;
  return absl::StrContains(line, ",") ? Format::kCsv : Format::kJson;
}

// Whether `key` stands in the text, then a colon, then `value`.
bool HasMember(absl::string_view text, absl::string_view key, absl::string_view value) {
  for (size_t at = text.find(key); at != absl::string_view::npos; at = text.find(key, at)) {
    at += key.size();
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(text.substr(at));
    if (!absl::ConsumePrefix(&rest, ":")) continue;
    if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(rest), value)) return true;
  }
  return false;
}

std::string Describe(const PageInfo& page) {
  std::string begins =
      page.first_bytes.empty()
          ? std::string("it is empty")
          : absl::StrCat("it begins with \"", absl::Utf8SafeCHexEscape(page.first_bytes.substr(0, kShownBytes)), "\"");
  // The first bytes may end inside a character.
  return ToUtf8(absl::StrCat(
      " (", page.content_type.empty() ? "" : absl::StrCat("content type ", page.content_type, "; "), begins, ")"));
}

}  // namespace

Format DetectFormat(Format configured, const PageInfo& page) {
  if (configured != Format::kAuto) return configured;
  if (auto format = FromContentType(page.content_type)) return *format;
  if (auto format = FromEnding(page.uri)) return *format;
  return FromFirstBytes(page.first_bytes);
}

Format DetectJsonKind(const PageInfo& page) {
  if (!absl::StartsWith(absl::StripLeadingAsciiWhitespace(page.first_bytes), "{")) return Format::kJson;
  if (HasMember(page.first_bytes, "\"type\"", "\"FeatureCollection\"")) return Format::kGeoJson;
  bool dataset = HasMember(page.first_bytes, "\"class\"", "\"dataset\"");
  return dataset && HasMember(page.first_bytes, "\"version\"", "\"2.") ? Format::kJsonStat : Format::kJson;
}

bool LooksLikeMarkup(absl::string_view text) {
  text = absl::StripLeadingAsciiWhitespace(text).substr(0, 16);
  constexpr absl::string_view kBegins[] = {"<!doctype", "<html", "<head", "<body", "<?xml", "<!--"};
  return std::any_of(std::begin(kBegins), std::end(kBegins),
                     [&](absl::string_view begin) { return absl::StartsWithIgnoreCase(text, begin); });
}

absl::Status PayloadError(const PageInfo& page, absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, absl::StrCat(message, Describe(page)));
}

absl::Status DescribePayload(const PageInfo& page, const absl::Status& status) {
  if (Reason(status).rfind("PAYLOAD_", 0) != 0) return status;
  absl::Status described(status.code(), absl::StrCat(status.message(), Describe(page)));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& cord) { described.SetPayload(url, cord); });
  return described;
}

}  // namespace chartly::drone
