#include "control/aggregator/page_token.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

absl::Status Invalid() {
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token is not one that this list gave; leave it out to begin at the start");
}

absl::StatusOr<std::string> FromHex(absl::string_view token) {
  bool hex = std::all_of(token.begin(), token.end(), [](char c) { return absl::ascii_isxdigit(c); });
  if (!hex || token.size() % 2 != 0) return Invalid();
  // By hand: the releases of Abseil that Debian ships have no decoder of hex digits in common.
  std::string bytes(token.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint8_t byte = 0;
    std::from_chars(token.data() + 2 * i, token.data() + 2 * i + 2, byte, 16);
    bytes[i] = static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

std::string ToHex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

absl::StatusOr<std::string> FromPageToken(absl::string_view token, size_t size) {
  if (token.empty()) return std::string();
  ASSIGN_OR_RETURN(std::string bytes, FromHex(token));
  return bytes.size() == size ? absl::StatusOr<std::string>(std::move(bytes)) : Invalid();
}

std::string CursorToken(const storage::v1::ScanCursor& cursor) { return ToHex(cursor.SerializeAsString()); }

absl::StatusOr<storage::v1::ScanCursor> ParseCursorToken(absl::string_view token) {
  ASSIGN_OR_RETURN(std::string bytes, FromHex(token));
  storage::v1::ScanCursor cursor;
  bool whole = cursor.ParseFromString(bytes) && cursor.first_batch() <= cursor.last_batch() &&
               (token.empty() || (cursor.location() != 0 && cursor.location() >> 16 <= cursor.as_of()));
  return whole ? absl::StatusOr<storage::v1::ScanCursor>(std::move(cursor)) : Invalid();
}

absl::StatusOr<int> PageLimit(int limit, int default_limit, int max) {
  if (limit < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "LIMIT_INVALID",
                 absl::StrCat("limit must not be negative; it is ", limit));
  }
  return limit == 0 ? default_limit : std::min(limit, max);
}

}  // namespace chartly::aggregator
