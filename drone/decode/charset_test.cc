#include "drone/decode/charset.h"

#include <random>

#include "common/status/status.h"
#include "common/text/utf8.h"
#include "drone/decode/cut_body_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

struct Read {
  absl::Status status;
  std::string text;
  int64_t replaced = 0;
};

Read ReadUtf8(const std::string& bytes, const std::string& charset = "", const std::string& content_type = "",
              size_t longest = 100'000) {
  CutBody body(bytes, longest);
  Utf8Body utf8(body, charset, content_type);
  Read read;
  while (true) {
    auto piece = utf8.Read();
    read.status = piece.status();
    if (!piece.ok() || piece->empty()) break;
    read.text.append(piece->data(), piece->size());
  }
  read.replaced = utf8.replaced();
  return read;
}

// Two or four bytes a character, of characters up to U+FFFF.
std::string Wide(const std::u16string& text, int width, bool big) {
  std::string out;
  for (char16_t c : text) {
    std::string unit(width, '\0');
    unit[big ? width - 1 : 0] = static_cast<char>(c & 0xFF);
    unit[big ? width - 2 : 1] = static_cast<char>(c >> 8);
    out += unit;
  }
  return out;
}

TEST_CASE("the charset is the first that is told") {
  struct Case {
    std::string configured, content_type, begin, name;
  };
  using std::string;
  auto c = GENERATE(values<Case>({
      {"", "", "a,b", "utf-8"},
      {"", "text/csv; charset=\"Windows-1250\"", "a,b", "windows-1250"},
      {"", "text/csv;Charset=ISO-8859-1;x=y", "a,b", "windows-1252"},
      {"koi8-r", "text/csv; charset=utf-8", "\xef\xbb\xbf", "koi8-r"},
      {"", "text/csv; charset=koi8-r", "\xef\xbb\xbf", "utf-8"},
      {"", "", "<?xml version='1.0' encoding='ISO-8859-2'?>", "iso-8859-2"},
      {"", "text/xml; charset=utf-8", "<?xml version='1.0' encoding='ISO-8859-2'?>", "utf-8"},
      {"", "", "<?xml version=\"1.0\" encoding=\"UTF-16\"?>", "utf-8"},
      {"", "", "<?xml version=\"1.0\"?><a encoding='koi8-r'/>", "utf-8"},
      {"", "", "\xfe\xff", "utf-16be"},
      {"", "", "\xff\xfe" + string("a\0", 2), "utf-16le"},
      {"", "", string("\xff\xfe\0\0", 4), "utf-32le"},
      {"", "", string("<\0?\0", 4), "utf-16le"},
      {"utf-16", "", "\xfe\xff", "utf-16be"},
      {"UTF-16", "", string("a\0", 2), "utf-16le"},
      {"", "text/plain; charset=us-ascii", "", "utf-8"},
  }));
  INFO(c.configured << "|" << c.content_type << "|" << c.begin);
  CHECK(ChooseCharset(c.configured, c.content_type, c.begin).name == c.name);
}

TEST_CASE("every charset becomes UTF-8, however the bytes are cut") {
  size_t longest = GENERATE(as<size_t>{}, 1, 3, 1000);
  CHECK(ReadUtf8("\xef\xbb\xbfna\xc3\xafve \xf0\x9d\x84\x9e", "", "", longest).text == "naïve 𝄞");
  CHECK(ReadUtf8("na\xefve \x80\x93", "iso-8859-1", "", longest).text == "naïve €“");
  CHECK(ReadUtf8("\xc3\xe4\xe5", "windows-1251", "", longest).text == "Где");
  CHECK(ReadUtf8("\x83\x65\x83\x58\x83\x67", "shift_jis", "", longest).text == "テスト");
  CHECK(ReadUtf8("\x1b$B%F%9%H\x1b(B", "iso-2022-jp", "", longest).text == "テスト");
  for (bool big : {false, true}) {
    CHECK(ReadUtf8(Wide(u"\ufeffé<√>", 2, big), "", "", longest).text == "é<√>");
    CHECK(ReadUtf8(Wide(u"\ufeffé<√>", 4, big), "", "", longest).text == "é<√>");
    CHECK(ReadUtf8(Wide(u"<a>é</a>", 2, big), "", "", longest).text == "<a>é</a>");
  }
  CHECK(ReadUtf8("", "", "", longest).text.empty());
  CHECK(ReadUtf8("", "utf-16", "", longest).text.empty());
}

TEST_CASE("bytes that are not UTF-8 are an error with their offset, or U+FFFD where the profile says UTF-8") {
  size_t longest = GENERATE(as<size_t>{}, 1, 2, 7, 5000);
  std::string text(2000, 'x');
  for (std::string bad : {"\xff",
                          "\xe4"
                          "abc",
                          "\xc0\xaf"}) {
    Read read = ReadUtf8("\xef\xbb\xbf" + text + bad + text, "", "text/csv; charset=utf-8", longest);
    CHECK(Reason(read.status) == "PAYLOAD_NOT_UTF8");
    CHECK(Details(read.status)["offset"] == "2003");
    CHECK(std::string(read.status.message()).find("set source.charset") != std::string::npos);
  }
  Read end = ReadUtf8(text + "\xe4\xbd", "", "", longest);
  CHECK(Reason(end.status) == "PAYLOAD_NOT_UTF8");
  CHECK(Details(end.status)["offset"] == "2000");
  Read replaced = ReadUtf8(
      "a\xff\xe4\xbd"
      "b\xe4",
      "utf-8", "", longest);
  CHECK_OK(replaced.status);
  CHECK(replaced.text == "a���b�");
  CHECK(replaced.replaced == 4);
  // What follows an open character may begin a whole one.
  CHECK(ReadUtf8("\xe0\xe0\xa4\xb9\xf0\xc3\xa9", "utf-8", "", longest).text == "�ह�é");
}

TEST_CASE("what another charset has no character for is replaced and counted") {
  Read read = ReadUtf8("a\x81z", "windows-1252");
  CHECK_OK(read.status);
  CHECK(read.text == "a�z");
  CHECK(read.replaced == 1);
  Read odd = ReadUtf8(Wide(u"ab", 2, false) + "c", "utf-16le");
  CHECK(odd.text == "ab�");
  Read lone = ReadUtf8(Wide(u"a\xd800z", 2, false), "utf-16le");
  CHECK(lone.text == "a�z");
}

TEST_CASE("a charset that nobody knows is named, and who told it") {
  for (const char* name : {"klingon", "utf-8//TRANSLIT", "a b"}) {
    Read read = ReadUtf8("x", name);
    CHECK(Reason(read.status) == "CHARSET_UNKNOWN");
    CHECK(std::string(read.status.message()).find("as the source.charset says") != std::string::npos);
  }
  CHECK(Reason(ReadUtf8("x", "", "text/csv; charset=klingon").status) == "CHARSET_UNKNOWN");
}

TEST_CASE("random bytes in any charset never become anything but UTF-8") {
  std::mt19937 random(11);
  const char* charsets[] = {"utf-8",     "utf-16",      "utf-32", "gb18030",
                            "shift_jis", "iso-2022-jp", "utf-7",  "windows-1253"};
  for (int round = 0; round < 400; ++round) {
    std::string bytes(random() % 300, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 26);
    Read read = ReadUtf8(bytes, charsets[round % 8], "", 1 + random() % 50);
    CHECK_OK(read.status);
    CHECK(IsUtf8(read.text));
  }
}

}  // namespace
}  // namespace chartly::drone
