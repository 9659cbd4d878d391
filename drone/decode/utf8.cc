#include "drone/decode/utf8.h"

#include <simdjson.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly::drone {

size_t FindInvalidUtf8(absl::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return absl::string_view::npos;
  for (size_t at = 0; at < text.size();) {
    size_t bytes = Utf8Length(text.substr(at));
    if (bytes == 0) return at;
    at += bytes;
  }
  return absl::string_view::npos;
}

absl::Status NotUtf8Error(absl::string_view text, size_t offset, int64_t before) {
  const int64_t at = before + static_cast<int64_t>(offset);
  size_t from = offset < 16 ? 0 : offset - 16;
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_UTF8",
               absl::StrCat("byte ", at, " is not UTF-8, in \"", absl::CHexEscape(text.substr(from, 32)),
                            "\"; set source.charset to what it is, such as windows-1252"),
               {{"offset", absl::StrCat(at)}});
}

}  // namespace chartly::drone
