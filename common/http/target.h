// The request target of HTTP: path, query, percent-decoding. Pure functions, thread-safe.
#ifndef CHARTLY_COMMON_HTTP_TARGET_H_
#define CHARTLY_COMMON_HTTP_TARGET_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly::http {

// `text` with %XX decoded, and '+' as a blank if `plus_is_blank`; nothing if an escape is malformed.
std::optional<std::string> PercentDecode(absl::string_view text, bool plus_is_blank = false);

// Every byte but letters, digits and -._~ as %XX.
std::string PercentEncode(absl::string_view text);

struct Target {
  std::string path;                                        // as sent
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
};

// Takes "/path?a=b" and "http://host/path?a=b"; nothing if it is neither or an escape in the query is malformed.
std::optional<Target> ParseTarget(absl::string_view target);

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_TARGET_H_
