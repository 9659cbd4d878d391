#include "drone/decode/utf8.h"

#include <simdjson.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

// How many bytes the character at `at` has; 0 if it is none.
size_t CharacterBytes(absl::string_view text, size_t at) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  size_t bytes = lead >= 0xc2 && lead < 0xe0   ? 2
                 : lead >= 0xe0 && lead < 0xf0 ? 3
                 : lead >= 0xf0 && lead < 0xf5 ? 4
                                               : 0;
  // The second byte has narrower bounds where an overlong form, a surrogate or a value past U+10FFFF would begin.
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (bytes == 0 || byte(at + 1) < low || byte(at + 1) > high) return 0;
  for (size_t i = 2; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  return bytes;
}

}  // namespace

size_t FindInvalidUtf8(absl::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return absl::string_view::npos;
  for (size_t at = 0; at < text.size();) {
    size_t bytes = CharacterBytes(text, at);
    if (bytes == 0) return at;
    at += bytes;
  }
  return absl::string_view::npos;
}

absl::Status NotUtf8Error(absl::string_view text, size_t offset) {
  size_t from = offset < 16 ? 0 : offset - 16;
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_UTF8",
               absl::StrCat("byte ", offset, " is not UTF-8, in \"", absl::CHexEscape(text.substr(from, 32)),
                            "\"; ask the publisher for UTF-8 or convert the file"),
               {{"offset", absl::StrCat(offset)}});
}

}  // namespace chartly::drone
