#include "drone/fetch/page_url.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/net/url.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

// What stands for the position in a url or body; empty if the type of pagination has none.
absl::string_view PlaceholderOf(PaginationType type) {
  if (type == PaginationType::kPage) return "{page}";
  if (type == PaginationType::kOffset) return "{offset}";
  return type == PaginationType::kCursor ? "{cursor}" : "";
}

bool Holds(absl::string_view text, absl::string_view placeholder) {
  return !placeholder.empty() && absl::StrContains(text, placeholder);
}

absl::string_view RawName(absl::string_view parameter) { return parameter.substr(0, parameter.find('=')); }

// Sets `name` where it stands, or at the end.
void SetParameter(std::vector<std::string>& parameters, absl::string_view name, absl::string_view value) {
  std::string written = absl::StrCat(net::EscapeQuery(name), "=", net::EscapeQuery(value));
  bool set = false;
  auto same = [&](std::string& parameter) {
    if (net::UnescapeQuery(RawName(parameter)) != name) return false;
    if (set) return true;
    set = true;
    parameter = written;
    return false;
  };
  parameters.erase(std::remove_if(parameters.begin(), parameters.end(), same), parameters.end());
  if (!set) parameters.push_back(written);
}

// Whether the body says where the page begins. Numbers only: a cursor would have to be written as the body's format
// wants it.
bool HasPlace(const SourceConfig& source) {
  return source.pagination.type != PaginationType::kCursor && Holds(source.body, PlaceholderOf(source.pagination.type));
}

bool CarriesSecret(absl::string_view raw_name) {
  constexpr absl::string_view kEndings[] = {"key", "token", "secret", "password", "passwd", "signature"};
  std::string name = absl::AsciiStrToLower(net::UnescapeQuery(raw_name));
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](absl::string_view ending) { return absl::EndsWith(name, ending); });
}

std::vector<std::string> SplitQuery(const std::string& query) { return absl::StrSplit(query, '&', absl::SkipEmpty()); }

}  // namespace

absl::StatusOr<std::string> PageUrl(const SourceConfig& source, absl::string_view position) {
  const PaginationConfig& pagination = source.pagination;
  const absl::string_view placeholder = PlaceholderOf(pagination.type);
  const bool in_place = Holds(source.url, placeholder);
  std::string url =
      in_place ? absl::StrReplaceAll(source.url, {{placeholder, net::EscapeQuery(position)}}) : source.url;
  ASSIGN_OR_RETURN(net::UrlParts parts, net::SplitUrl(url));
  std::vector<std::string> parameters = SplitQuery(parts.query);
  for (const auto& [name, value] : source.query) SetParameter(parameters, name, value);
  if (!placeholder.empty() && !pagination.size_param.empty() && pagination.size > 0) {
    SetParameter(parameters, pagination.size_param, absl::StrCat(pagination.size));
  }
  const bool as_parameter = !placeholder.empty() && !in_place && !HasPlace(source) && !position.empty();
  if (as_parameter) SetParameter(parameters, pagination.param, position);
  parts.query = absl::StrJoin(parameters, "&");
  parts.has_query = !parameters.empty();
  return net::JoinUrl(parts);
}

std::string PageBodyText(const SourceConfig& source, absl::string_view position) {
  if (!HasPlace(source)) return source.body;
  return absl::StrReplaceAll(source.body, {{PlaceholderOf(source.pagination.type), position}});
}

absl::StatusOr<std::string> WithParameter(absl::string_view url, absl::string_view name, absl::string_view value) {
  ASSIGN_OR_RETURN(net::UrlParts parts, net::SplitUrl(url));
  std::vector<std::string> parameters = SplitQuery(parts.query);
  SetParameter(parameters, name, value);
  parts.query = absl::StrJoin(parameters, "&");
  parts.has_query = true;
  return net::JoinUrl(parts);
}

std::string RedactUrl(absl::string_view url) {
  absl::StatusOr<net::UrlParts> parts = net::SplitUrl(url);
  if (!parts.ok()) return "[redacted]";
  size_t at = parts->authority.rfind('@');
  if (at != std::string::npos) parts->authority.erase(0, at + 1);
  std::vector<std::string> parameters = SplitQuery(parts->query);
  for (std::string& parameter : parameters) {
    absl::string_view name = RawName(parameter);
    if (name.size() < parameter.size() && CarriesSecret(name)) parameter = absl::StrCat(name, "=[redacted]");
  }
  parts->query = absl::StrJoin(parameters, "&");
  return net::JoinUrl(*parts);
}

}  // namespace chartly::drone
