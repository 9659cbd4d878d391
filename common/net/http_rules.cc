#include "common/net/http_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/net/url.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

constexpr size_t kMaxHeaderBytes = 64 << 10;
constexpr int kMaxHeaderLines = 200;

bool IsToken(absl::string_view text) {
  constexpr absl::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kOthers.find(c) != absl::string_view::npos;
  });
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

// A list of what may go along, not of what may not: a key can hide in a header of any name.
bool MayGoToOtherOrigin(absl::string_view header) {
  constexpr absl::string_view kHarmless[] = {"accept", "accept-language", "content-type", "user-agent"};
  return std::any_of(std::begin(kHarmless), std::end(kHarmless),
                     [&](absl::string_view name) { return absl::EqualsIgnoreCase(header, name); });
}

bool BecomesGet(int status, absl::string_view method) {
  return (status == 303 && method != "HEAD") || ((status == 301 || status == 302) && method == "POST");
}

}  // namespace

absl::Status CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) {
    return Error(absl::StatusCode::kInvalidArgument, "URL_INVALID", "the method is not an HTTP method, such as GET");
  }
  for (const auto& [name, value] : request.headers) {
    if (IsToken(name) && !HasControl(value)) continue;
    return Error(absl::StatusCode::kInvalidArgument, "URL_INVALID",
                 absl::StrCat("the header \"", absl::CHexEscape(name),
                              "\" or its value holds a line break or another character no header may hold"));
  }
  return absl::OkStatus();
}

bool HeaderBlock::AddLine(absl::string_view line) {
  bytes_ += line.size();
  if (++lines_ > kMaxHeaderLines || bytes_ > kMaxHeaderBytes) return false;
  if (absl::StartsWith(line, "HTTP/")) headers_.clear();  // the answer proper after an interim one
  size_t colon = line.find(':');
  if (colon != absl::string_view::npos && !absl::StartsWith(line, "HTTP/")) {
    std::string name = absl::AsciiStrToLower(line.substr(0, colon));
    absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    std::string& kept = headers_[name];
    kept = name == "link" && !kept.empty() ? absl::StrCat(kept, ", ", value) : std::string(value);
  }
  return true;
}

bool IsRedirect(int status, const std::map<std::string, std::string>& headers) {
  bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  return moved && headers.count("location") > 0;
}

absl::StatusOr<HttpRequest> FollowRedirect(const HttpRequest& request, int status, absl::string_view location) {
  ASSIGN_OR_RETURN(UrlParts from, SplitUrl(request.url));
  HttpRequest next = request;
  ASSIGN_OR_RETURN(next.url, ResolveUrl(request.url, location));
  ASSIGN_OR_RETURN(UrlParts to, SplitUrl(next.url));
  if (from.scheme == "https" && to.scheme == "http") {
    return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_REDIRECT",
                 absl::StrCat(HostOf(from), " redirects from https to http at ", HostOf(to),
                              ", which would send the request in the clear; use the address it should lead to"));
  }
  if (BecomesGet(status, request.method)) {
    next.method = "GET";
    next.body.clear();
  }
  if (OriginOf(from) == OriginOf(to)) return next;
  next.client_certificate.clear();
  next.client_key.clear();
  for (auto it = next.headers.begin(); it != next.headers.end();) {
    it = MayGoToOtherOrigin(it->first) ? std::next(it) : next.headers.erase(it);
  }
  return next;
}

}  // namespace chartly::net
