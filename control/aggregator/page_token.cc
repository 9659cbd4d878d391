#include "control/aggregator/page_token.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {

std::string ToHex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

absl::StatusOr<std::string> FromPageToken(absl::string_view token, size_t size) {
  if (token.empty()) return std::string();
  bool hex = std::all_of(token.begin(), token.end(), [](char c) { return absl::ascii_isxdigit(c); });
  if (!hex || token.size() != size * 2) {
    return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
                 "page_token is not one that this list gave; leave it out to begin at the start");
  }
  // By hand: the releases of Abseil that Debian ships have no decoder of hex digits in common.
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    uint8_t byte = 0;
    std::from_chars(token.data() + 2 * i, token.data() + 2 * i + 2, byte, 16);
    bytes[i] = static_cast<char>(byte);
  }
  return bytes;
}

absl::StatusOr<int> PageLimit(int limit, int default_limit, int max) {
  if (limit < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "LIMIT_INVALID",
                 absl::StrCat("limit must not be negative; it is ", limit));
  }
  return limit == 0 ? default_limit : std::min(limit, max);
}

}  // namespace chartly::aggregator
