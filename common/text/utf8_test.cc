#include "common/text/utf8.h"

#include <cstdint>

#include "test/support/test.h"

namespace chartly {
namespace {

// By the bits alone, also for numbers that are no character.
std::string Encode(uint32_t point) {
  auto tail = [point](int shift) { return static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xC0 | point >> 6), tail(0)};
  if (point < 0x10000) return {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
}

TEST_CASE("every character has its length, and surrogates and larger numbers are none") {
  int wrong = 0;
  for (uint32_t point = 0; point < 0x120000; ++point) {
    std::string text = Encode(point);
    bool character = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    wrong += Utf8Length(text + "x") != (character ? text.size() : 0);
    wrong += IsUtf8(text) != character;
    wrong += text.size() > 1 && Utf8Length(absl::string_view(text).substr(0, text.size() - 1)) != 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("of all texts of three bytes exactly as many are a character as there are characters of that length") {
  size_t of_length[4] = {};
  char text[3];
  for (uint32_t bytes = 0; bytes < 1u << 24; ++bytes) {
    for (int i = 0; i < 3; ++i) text[i] = static_cast<char>(bytes >> (8 * i));
    ++of_length[Utf8Length(absl::string_view(text, 3))];
  }
  CHECK(of_length[1] == size_t{0x80} << 16);
  CHECK(of_length[2] == size_t{0x800 - 0x80} << 8);
  CHECK(of_length[3] == 0x10000 - 0x800 - 0x800);
}

TEST_CASE("overlong forms are found behind plain text too") {
  CHECK(
      IsUtf8("plain and long enough for words, Gr\xC3\xBC\xC3\x9F"
             "e"));
  for (const char* bad : {"\xC0\xAF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xFF", "\x80"}) {
    CHECK_FALSE(IsUtf8(std::string("twelve bytes") + bad));
  }
}

TEST_CASE("mending replaces each bad byte and leaves the rest") {
  CHECK(ToUtf8("a\xC3\xA4") == "a\xC3\xA4");
  CHECK(ToUtf8("a\xFF"
               "b\xC3") ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
}

TEST_CASE("a cut does not end inside a character") {
  CHECK(CutAtCharacter("a\xE2\x82\xAC"
                       "b",
                       5) ==
        "a\xE2\x82\xAC"
        "b");
  CHECK(CutAtCharacter("a\xE2\x82\xAC"
                       "b",
                       4) == "a\xE2\x82\xAC");
  CHECK(CutAtCharacter("a\xE2\x82\xAC"
                       "b",
                       3) == "a");
  CHECK(CutAtCharacter("\x80\x80", 1) == "");
}

TEST_CASE("characters are counted and skipped, not bytes") {
  CHECK(CountCharacters("") == 0);
  CHECK(CountCharacters("a\xE2\x82\xAC"
                        "b") == 3);
  CHECK(SkipCharacters("a\xE2\x82\xAC"
                       "b",
                       2) == 4);
  CHECK(SkipCharacters("a\xE2\x82\xAC"
                       "b",
                       9) == 5);
}

}  // namespace
}  // namespace chartly
