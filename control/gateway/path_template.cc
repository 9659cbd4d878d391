#include "control/gateway/path_template.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/http/target.h"
#include "common/status/status.h"

namespace chartly::gateway {
namespace {

absl::Status Invalid(absl::string_view text) {
  return Error(absl::StatusCode::kInvalidArgument, "TEMPLATE_INVALID",
               absl::StrCat("path template '", text, "' is not supported; use literals, {field} and {field=literal/*}"),
               {{"template", text}});
}

// "{name=profiles/*}" or "{name}" without its braces.
bool AddVariable(absl::string_view variable, std::vector<PathSegment>& out) {
  size_t equals = variable.find('=');
  std::string field(variable.substr(0, equals));
  absl::string_view pattern = equals == absl::string_view::npos ? "*" : variable.substr(equals + 1);
  if (field.empty()) return false;
  for (absl::string_view piece : absl::StrSplit(pattern, '/')) {
    if (piece.empty() || piece == "**") return false;
    out.push_back({piece == "*" ? "" : std::string(piece), field});
  }
  return true;
}

// The verb of "x:verb", outside of braces.
size_t VerbColon(absl::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || text.find_first_of("/}", colon) != absl::string_view::npos) {
    return absl::string_view::npos;
  }
  return colon;
}

}  // namespace

absl::StatusOr<PathTemplate> PathTemplate::Parse(absl::string_view text) {
  PathTemplate out;
  absl::string_view rest = text;
  size_t colon = VerbColon(rest);
  if (colon != absl::string_view::npos) {
    out.verb = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  while (!rest.empty()) {
    if (rest[0] != '/') return Invalid(text);
    rest.remove_prefix(1);
    if (absl::StartsWith(rest, "{")) {
      size_t close = rest.find('}');
      if (close == absl::string_view::npos || !AddVariable(rest.substr(1, close - 1), out.segments)) {
        return Invalid(text);
      }
      rest.remove_prefix(close + 1);
      continue;
    }
    size_t slash = std::min(rest.find('/'), rest.size());
    absl::string_view literal = rest.substr(0, slash);
    if (literal.empty() || literal.find_first_of("*{}") != absl::string_view::npos) return Invalid(text);
    out.segments.push_back({std::string(literal), ""});
    rest.remove_prefix(slash);
  }
  if (out.segments.empty()) return Invalid(text);
  return out;
}

bool PathTemplate::Match(absl::string_view path, std::map<std::string, std::string>* fields) const {
  if (!verb.empty()) {
    std::string suffix = absl::StrCat(":", verb);
    if (!absl::EndsWith(path, suffix)) return false;
    path.remove_suffix(suffix.size());
  }
  if (!absl::StartsWith(path, "/")) return false;
  std::vector<absl::string_view> pieces = absl::StrSplit(path.substr(1), '/');
  if (pieces.size() != segments.size()) return false;
  std::map<std::string, std::string> found;
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::optional<std::string> piece = http::PercentDecode(pieces[i]);
    if (!piece || piece->empty()) return false;
    if (!segments[i].literal.empty() && segments[i].literal != *piece) return false;
    if (segments[i].field.empty()) continue;
    std::string& value = found[segments[i].field];
    if (!value.empty()) value += '/';
    value += *piece;
  }
  if (fields != nullptr) *fields = std::move(found);
  return true;
}

std::vector<std::string> PathTemplate::Fields() const {
  std::vector<std::string> fields;
  for (const PathSegment& segment : segments) {
    if (!segment.field.empty() && (fields.empty() || fields.back() != segment.field)) fields.push_back(segment.field);
  }
  return fields;
}

std::string PathTemplate::OpenApiPath(std::vector<std::pair<std::string, std::string>>* parameters) const {
  std::string out;
  for (size_t i = 0; i < segments.size(); ++i) {
    const PathSegment& segment = segments[i];
    if (!segment.literal.empty()) {
      absl::StrAppend(&out, "/", segment.literal);
      continue;
    }
    // "profiles/{name}" reads better as "profiles/{profile}".
    std::string name = segment.field;
    if (i > 0 && segments[i - 1].field == segment.field && absl::EndsWith(segments[i - 1].literal, "s")) {
      name = segments[i - 1].literal.substr(0, segments[i - 1].literal.size() - 1);
    }
    absl::StrAppend(&out, "/{", name, "}");
    if (parameters != nullptr) parameters->emplace_back(name, segment.field);
  }
  if (!verb.empty()) absl::StrAppend(&out, ":", verb);
  return out;
}

std::string PathTemplate::Shape() const {
  // '~' sorts behind every literal, and no verb behind every verb, so that the order of shapes is the order of trying.
  std::string out;
  for (const PathSegment& segment : segments)
    absl::StrAppend(&out, "/", segment.literal.empty() ? "~" : segment.literal);
  return absl::StrCat(verb.empty() ? "~" : ":" + verb, " ", out);
}

}  // namespace chartly::gateway
