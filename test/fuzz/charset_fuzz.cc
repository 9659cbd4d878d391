#include "common/text/utf8.h"
#include "drone/decode/charset.h"
#include "test/fuzz/decode_twice.h"

namespace chartly {
namespace {

// The text, or the reason why there is none.
std::pair<std::string, std::string> ReadAsUtf8(drone::Body& body, absl::string_view charset,
                                               absl::string_view content_type) {
  drone::Utf8Body utf8(body, charset, content_type);
  std::string text;
  while (true) {
    absl::StatusOr<absl::string_view> piece = utf8.Read();
    if (!piece.ok()) return {text, Reason(piece.status())};
    if (piece->empty()) return {text, ""};
    FUZZ_CHECK(IsUtf8(*piece));
    text.append(piece->data(), piece->size());
  }
}

}  // namespace

FUZZ_TARGET(charset) {
  static const char* const kCharsets[] = {"",         "utf-8",    "iso-8859-1",  "windows-1252", "utf-16",
                                          "utf-16le", "utf-16be", "utf-32",      "shift_jis",    "euc-jp",
                                          "gb18030",  "big5",     "euc-kr",      "koi8-r",       "ibm850",
                                          "tis-620",  "gbk",      "iso-2022-jp", "us-ascii",     "nonsense"};
  const char* charset = kCharsets[fuzz::TakeChoice(input, std::size(kCharsets))];
  static const char* const kTypes[] = {"", "text/xml", "text/csv; charset=iso-8859-15", "text/plain; charset=\"x"};
  const char* content_type = kTypes[fuzz::TakeChoice(input, std::size(kTypes))];
  drone::TextBody whole{std::string(input)};
  auto expected = ReadAsUtf8(whole, charset, content_type);
  drone::CutBody pieces(std::string(input), 1 + input.size() % 5);
  FUZZ_CHECK(ReadAsUtf8(pieces, charset, content_type) == expected);
}

}  // namespace chartly
