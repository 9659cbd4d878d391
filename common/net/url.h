// Small URL work outside of libcurl: taking apart, resolving a reference, escaping. Nothing here decides what may be
// connected; that is EgressPolicy, on the address. All functions are pure and thread-safe.
#ifndef CHARTLY_COMMON_NET_URL_H_
#define CHARTLY_COMMON_NET_URL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::net {

// RFC 3986 parts as written; `has_query` tells "?" without text from no "?".
struct UrlParts {
  std::string scheme;     // lower case
  std::string authority;  // user, host and port
  std::string path;
  std::string query;
  bool has_query = false;
  std::string fragment;
};

// Takes an absolute http or https URL apart. InvalidArgument (URL_INVALID) if it is none, or holds blanks or control
// characters.
absl::StatusOr<UrlParts> SplitUrl(absl::string_view url);
// The URL again, without the fragment.
std::string JoinUrl(const UrlParts& parts);
// The host in lower case, without user, port, brackets and final dot.
std::string HostOf(const UrlParts& parts);
// scheme://host:port, the default port written out. Two URLs of one origin may share credentials.
std::string OriginOf(const UrlParts& parts);

// `reference` (absolute, //host/x, /x, x, ?x) as seen from `base`, RFC 3986 section 5. URL_INVALID as in SplitUrl.
absl::StatusOr<std::string> ResolveUrl(absl::string_view base, absl::string_view reference);

// Percent-encodes for a query name or value. Leaves letters, digits, -._~ and the harmless $,:/@*()! as they are,
// since publishers' documents write them so.
std::string EscapeQuery(absl::string_view text);
// Undoes percent-encoding and "+".
std::string UnescapeQuery(absl::string_view text);

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_URL_H_
