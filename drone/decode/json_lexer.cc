#include "drone/decode/json_lexer.h"

namespace chartly::drone {
namespace {

// The four hexadecimal digits at `at`; negative if they are none.
int32_t HexUnit(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    char c = at[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

char* AppendUtf8(int32_t point, char* out) {
  if (point < 0x80) {
    *out++ = static_cast<char>(point);
    return out;
  }
  if (point < 0x800) {
    *out++ = static_cast<char>(0xc0 | point >> 6);
  } else {
    if (point < 0x10000) {
      *out++ = static_cast<char>(0xe0 | point >> 12);
    } else {
      *out++ = static_cast<char>(0xf0 | point >> 18);
      *out++ = static_cast<char>(0x80 | (point >> 12 & 0x3f));
    }
    *out++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
  }
  *out++ = static_cast<char>(0x80 | (point & 0x3f));
  return out;
}

// Reads what follows \u and moves `at` past it; negative if it is no character.
int32_t CodePoint(const char*& at, const char* end) {
  constexpr int32_t kHigh = 0xd800;
  constexpr int32_t kLow = 0xdc00;
  int32_t unit = HexUnit(at, end);
  if (unit < 0) return -1;
  at += 4;
  if (unit < kHigh || unit > 0xdfff) return unit;
  if (unit >= kLow || end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
  int32_t low = HexUnit(at + 2, end);
  if (low < kLow || low > 0xdfff) return -1;
  at += 6;
  return 0x10000 + ((unit - kHigh) << 10) + (low - kLow);
}

// The character of a one-letter escape; zero if there is none.
char PlainEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

}  // namespace

char* UnescapeJson(absl::string_view raw, char* out) {
  const char* at = raw.data();
  const char* end = at + raw.size();
  while (at < end) {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    if (++at == end) return nullptr;
    char letter = *at++;
    if (letter == 'u') {
      int32_t point = CodePoint(at, end);
      if (point < 0) return nullptr;
      out = AppendUtf8(point, out);
    } else {
      char plain = PlainEscape(letter);
      if (plain == '\0') return nullptr;
      *out++ = plain;
    }
  }
  return out;
}

}  // namespace chartly::drone
