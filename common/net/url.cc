#include "common/net/url.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

absl::Status Invalid(absl::string_view url, absl::string_view why) {
  std::string shown(url.substr(0, 200));
  for (char& c : shown) c = absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? '?' : c;
  return Error(absl::StatusCode::kInvalidArgument, "URL_INVALID", absl::StrCat("\"", shown, "\" ", why));
}

bool HasBlankOrControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

// RFC 3986 5.2.4: "/a/b/../c/./d" is "/a/c/d".
std::string RemoveDotSegments(absl::string_view path) {
  std::vector<absl::string_view> kept;
  std::vector<absl::string_view> segments = absl::StrSplit(path, '/');
  for (size_t i = 0; i < segments.size(); ++i) {
    bool last = i + 1 == segments.size();
    if (segments[i] == "..") {
      if (kept.size() > 1) kept.pop_back();
      if (last) kept.push_back("");
    } else if (segments[i] == ".") {
      if (last) kept.push_back("");
    } else {
      kept.push_back(segments[i]);
    }
  }
  std::string out;
  for (size_t i = 0; i < kept.size(); ++i) absl::StrAppend(&out, i == 0 ? "" : "/", kept[i]);
  return out;
}

void SplitPathQuery(absl::string_view rest, UrlParts& parts) {
  size_t hash = rest.find('#');
  if (hash != absl::string_view::npos) {
    parts.fragment = std::string(rest.substr(hash + 1));
    rest = rest.substr(0, hash);
  }
  size_t question = rest.find('?');
  parts.has_query = question != absl::string_view::npos;
  parts.query = parts.has_query ? std::string(rest.substr(question + 1)) : std::string();
  parts.path = std::string(rest.substr(0, question));
}

bool HasScheme(absl::string_view reference) {
  size_t colon = reference.find(':');
  return colon != absl::string_view::npos && colon < reference.find_first_of("/?#");
}

absl::string_view HostPort(const UrlParts& parts) {
  absl::string_view authority = parts.authority;
  size_t at = authority.rfind('@');
  return at == absl::string_view::npos ? authority : authority.substr(at + 1);
}

// Where the port's colon stands; npos without one. A colon inside [v6] is none.
size_t PortColon(absl::string_view host_port) {
  size_t colon = host_port.rfind(':');
  size_t bracket = host_port.rfind(']');
  return bracket != absl::string_view::npos && (colon == absl::string_view::npos || colon < bracket)
             ? absl::string_view::npos
             : colon;
}

}  // namespace

absl::StatusOr<UrlParts> SplitUrl(absl::string_view url) {
  if (HasBlankOrControl(url)) return Invalid(url, "holds a blank or control character; percent-encode it");
  UrlParts parts;
  size_t mark = url.find("://");
  if (mark != absl::string_view::npos) parts.scheme = absl::AsciiStrToLower(url.substr(0, mark));
  if (parts.scheme != "http" && parts.scheme != "https") {
    return Invalid(url, "is not an http:// or https:// address");
  }
  absl::string_view rest = url.substr(mark + 3);
  size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  parts.authority = std::string(rest.substr(0, end));
  if (HostOf(parts).empty()) return Invalid(url, "names no host");
  SplitPathQuery(rest.substr(end), parts);
  return parts;
}

std::string JoinUrl(const UrlParts& parts) {
  return absl::StrCat(parts.scheme, "://", parts.authority, parts.path, parts.has_query ? "?" : "", parts.query);
}

std::string HostOf(const UrlParts& parts) {
  absl::string_view host = HostPort(parts);
  host = host.substr(0, PortColon(host));
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) host = host.substr(1, host.size() - 2);
  if (absl::EndsWith(host, ".")) host.remove_suffix(1);
  return absl::AsciiStrToLower(host);
}

std::string OriginOf(const UrlParts& parts) {
  absl::string_view host_port = HostPort(parts);
  size_t colon = PortColon(host_port);
  absl::string_view port = colon == absl::string_view::npos ? absl::string_view() : host_port.substr(colon + 1);
  if (port.empty()) port = parts.scheme == "https" ? "443" : "80";
  return absl::StrCat(parts.scheme, "://", HostOf(parts), ":", port);
}

absl::StatusOr<std::string> ResolveUrl(absl::string_view base, absl::string_view reference) {
  ASSIGN_OR_RETURN(UrlParts parts, SplitUrl(base));
  parts.fragment.clear();
  std::string absolute;
  if (HasScheme(reference)) {
    absolute = std::string(reference);
  } else if (absl::StartsWith(reference, "//")) {
    absolute = absl::StrCat(parts.scheme, ":", reference);
  } else if (!reference.empty() && reference[0] != '#') {
    UrlParts relative;
    SplitPathQuery(reference, relative);
    if (!relative.path.empty()) {
      std::string folder = parts.path.substr(0, parts.path.rfind('/') + 1);
      if (folder.empty()) folder.push_back('/');  // gcc 12 warns wrongly of an assignment here
      parts.path = RemoveDotSegments(relative.path[0] == '/' ? relative.path : absl::StrCat(folder, relative.path));
    }
    parts.query = relative.query;
    parts.has_query = relative.has_query;
    absolute = JoinUrl(parts);
  } else {
    absolute = JoinUrl(parts);
  }
  ASSIGN_OR_RETURN(UrlParts result, SplitUrl(absolute));
  return JoinUrl(result);
}

std::string EscapeQuery(absl::string_view text) {
  constexpr absl::string_view kKept = "-._~$,:/@*()!";
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    if (absl::ascii_isalnum(c) || kKept.find(static_cast<char>(c)) != absl::string_view::npos) {
      out.push_back(static_cast<char>(c));
    } else {
      out.append({'%', kHex[c >> 4], kHex[c & 15]});
    }
  }
  return out;
}

std::string UnescapeQuery(absl::string_view text) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    bool escape = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (escape) {
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace chartly::net
