#include "control/gateway/cookie.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace chartly::gateway {
namespace {

std::string FullName(absl::string_view name, bool secure) { return absl::StrCat(secure ? "__Host-" : "", name); }

}  // namespace

const std::string& HeaderOf(const http::Request& request, const std::string& name) {
  static const auto* none = new std::string;
  auto found = request.headers.find(name);
  return found == request.headers.end() ? *none : found->second;
}

bool SpeaksTls(const http::Request& request) {
  return request.secure || absl::EqualsIgnoreCase(HeaderOf(request, "x-forwarded-proto"), "https");
}

std::vector<std::string> CookiesOf(const http::Request& request, absl::string_view name) {
  const std::string full = FullName(name, SpeaksTls(request));
  std::vector<std::string> values;
  for (absl::string_view pair : absl::StrSplit(HeaderOf(request, "cookie"), ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (absl::ConsumePrefix(&pair, full) && absl::ConsumePrefix(&pair, "=")) values.emplace_back(pair);
  }
  return values;
}

std::string CookieText(absl::string_view name, bool secure, absl::string_view value, absl::string_view rule,
                       absl::string_view life) {
  return absl::StrCat(FullName(name, secure), "=", value, "; Path=/; HttpOnly; SameSite=", rule, life,
                      secure ? "; Secure" : "");
}

}  // namespace chartly::gateway
