#include "drone/decode/charset.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "drone/decode/utf8.h"

namespace chartly::drone {
namespace {

constexpr size_t kHeadBytes = 1024;
// Small enough to stay in the cache between the check and what reads the text next.
constexpr size_t kSliceBytes = size_t{128} << 10;
constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr absl::string_view kReplacement = "\xef\xbf\xbd";

struct Mark {
  absl::string_view bytes;
  const char* charset;
};
// The longer ones first: UTF-32 begins as UTF-16 does.
constexpr Mark kMarks[] = {{kByteOrderMark, "utf-8"},
                           {absl::string_view("\xff\xfe\0\0", 4), "utf-32le"},
                           {absl::string_view("\0\0\xfe\xff", 4), "utf-32be"},
                           {"\xff\xfe", "utf-16le"},
                           {"\xfe\xff", "utf-16be"},
                           {absl::string_view("<\0\0\0", 4), "utf-32le"},
                           {absl::string_view("\0\0\0<", 4), "utf-32be"},
                           {absl::string_view("<\0", 2), "utf-16le"},
                           {absl::string_view("\0<", 2), "utf-16be"}};

// The text in quotes or up to the next ; or blank.
absl::string_view Word(absl::string_view text) {
  text = absl::StripLeadingAsciiWhitespace(text);
  if (text.empty()) return text;
  if (text[0] == '"' || text[0] == '\'') return text.substr(1, text.find(text[0], 1) - 1);
  return text.substr(0, text.find_first_of("; \t\r\n,"));
}

std::string OfContentType(absl::string_view content_type) {
  std::string lower = absl::AsciiStrToLower(content_type);
  size_t at = lower.find("charset=");
  return at == std::string::npos ? "" : std::string(Word(absl::string_view(lower).substr(at + 8)));
}

std::string OfXmlDeclaration(absl::string_view first_bytes) {
  if (!absl::StartsWith(first_bytes, "<?xml")) return "";
  absl::string_view declaration = first_bytes.substr(0, first_bytes.find("?>"));
  size_t at = declaration.find("encoding");
  if (at == absl::string_view::npos) return "";
  absl::string_view rest = absl::StripLeadingAsciiWhitespace(declaration.substr(at + 8));
  if (!absl::ConsumePrefix(&rest, "=")) return "";
  return absl::AsciiStrToLower(Word(rest));
}

bool IsOneOf(absl::string_view name, std::initializer_list<absl::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What a name means in practice. `first_bytes` tell the byte order where the name does not.
std::string Meaning(absl::string_view name, absl::string_view first_bytes) {
  if (IsOneOf(name, {"utf-8", "utf8", "us-ascii", "ascii"})) return "utf-8";
  if (IsOneOf(name, {"iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1"})) return "windows-1252";
  bool big = absl::StartsWith(first_bytes, "\xfe\xff") || absl::StartsWith(first_bytes, kMarks[2].bytes);
  if (name == "utf-16" || name == "utf16") return big ? "utf-16be" : "utf-16le";
  if (name == "utf-32" || name == "utf32") return big ? "utf-32be" : "utf-32le";
  return std::string(name);
}

size_t UnitBytes(absl::string_view charset) {
  if (absl::StartsWith(charset, "utf-16") || absl::StartsWith(charset, "ucs-2")) return 2;
  return absl::StartsWith(charset, "utf-32") || absl::StartsWith(charset, "ucs-4") ? 4 : 1;
}

// Bytes at the end that begin a character and do not end it.
size_t OpenTail(absl::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0u) == 0x80u) continue;
    size_t wants = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return wants > back ? back : 0;
  }
  return 0;
}

absl::Status UnknownCharset(const Charset& charset) {
  return Error(absl::StatusCode::kInvalidArgument, "CHARSET_UNKNOWN",
               absl::StrCat("no charset is named \"", absl::Utf8SafeCHexEscape(charset.name.substr(0, 64)),
                            "\", as the ", charset.told_by, " says; set source.charset to one that `iconv -l` lists"),
               {{"charset", charset.name}});
}

}  // namespace

Charset ChooseCharset(absl::string_view configured, absl::string_view content_type, absl::string_view first_bytes) {
  if (!configured.empty()) return {Meaning(absl::AsciiStrToLower(configured), first_bytes), "source.charset"};
  for (const Mark& mark : kMarks) {
    if (absl::StartsWith(first_bytes, mark.bytes)) return {mark.charset, "begin of the payload"};
  }
  std::string name = OfContentType(content_type);
  if (!name.empty()) return {Meaning(name, first_bytes), "content type"};
  name = Meaning(OfXmlDeclaration(first_bytes), first_bytes);
  // A declaration that was read byte by byte does not stand in characters of two or four.
  if (name.empty() || UnitBytes(name) > 1) return {};
  return {name, "XML declaration"};
}

// iconv, fed with pieces that may end inside a character.
class Utf8Body::Converter {
 public:
  static absl::StatusOr<std::unique_ptr<Converter>> Create(const Charset& charset) {
    bool plain = std::all_of(charset.name.begin(), charset.name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-_.:+()", c);
    });
    // Anything else, such as a slash, would be a request to iconv and no name.
    iconv_t descriptor = plain ? iconv_open("UTF-8", charset.name.c_str()) : reinterpret_cast<iconv_t>(-1);
    if (descriptor == reinterpret_cast<iconv_t>(-1)) return UnknownCharset(charset);
    return std::unique_ptr<Converter>(new Converter(descriptor, UnitBytes(charset.name)));
  }
  ~Converter() { iconv_close(descriptor_); }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  // Takes `text` whole. `last`: nothing follows, so that an open character is an invalid one.
  void Convert(absl::string_view text, bool last, std::string& out, int64_t& replaced) {
    in_.append(text.data(), text.size());
    char* in = in_.data();
    size_t left = in_.size();
    while (left > 0) {
      int error = Step(in, left, out);
      if (error == 0 || error == E2BIG) continue;
      if (error == EINVAL && !last) break;
      out.append(kReplacement.data(), kReplacement.size());
      ++replaced;
      size_t skipped = std::min(unit_, left);
      in += skipped;
      left -= skipped;
    }
    in_.erase(0, in_.size() - left);
    if (last) Flush(out);
  }

 private:
  Converter(iconv_t descriptor, size_t unit) : descriptor_(descriptor), unit_(unit) {}

  // Converts as much as goes at once; errno of what stopped it, or 0.
  int Step(char*& in, size_t& left, std::string& out) {
    size_t before = out.size();
    size_t room = left * 3 + 16;
    out.resize(before + room);
    char* to = out.data() + before;
    int error = iconv(descriptor_, &in, &left, &to, &room) == static_cast<size_t>(-1) ? errno : 0;
    out.resize(out.size() - room);
    return error;
  }

  // What a charset with states still holds back.
  void Flush(std::string& out) {
    char rest[64];
    char* to = rest;
    size_t room = sizeof rest;
    iconv(descriptor_, nullptr, nullptr, &to, &room);
    out.append(rest, sizeof rest - room);
  }

  iconv_t descriptor_;
  size_t unit_;
  std::string in_;
};

Utf8Body::Utf8Body(Body& body, absl::string_view charset, absl::string_view content_type)
    : body_(body), configured_(charset), content_type_(content_type) {}

Utf8Body::~Utf8Body() = default;

absl::StatusOr<absl::string_view> Utf8Body::Read() {
  if (!begun_) RETURN_IF_ERROR(Begin());
  return converter_ == nullptr ? ReadUtf8() : ReadConverted();
}

absl::Status Utf8Body::Begin() {
  RETURN_IF_ERROR(Refill());
  while (rest_.size() < kHeadBytes && !ended_) {
    if (head_.empty()) head_ = std::string(rest_);
    RETURN_IF_ERROR(Refill());
    head_.append(rest_.data(), rest_.size());
    rest_ = head_;
  }
  ended_ = false;  // rest_ still has to be given
  Charset charset = ChooseCharset(configured_, content_type_, rest_.substr(0, kHeadBytes));
  begun_ = true;
  if (charset.name == "utf-8") {
    replaces_ = !configured_.empty();
    if (absl::ConsumePrefix(&rest_, kByteOrderMark)) offset_ = kByteOrderMark.size();
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(converter_, Converter::Create(charset));
  return absl::OkStatus();
}

absl::Status Utf8Body::Refill() {
  ASSIGN_OR_RETURN(rest_, body_.Read());
  ended_ = rest_.empty();
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> Utf8Body::ReadUtf8() {
  while (true) {
    if (rest_.empty() && !ended_) RETURN_IF_ERROR(Refill());
    if (!carry_.empty()) {
      while (!rest_.empty() && OpenTail(carry_) == carry_.size()) {
        carry_.push_back(rest_[0]);
        rest_.remove_prefix(1);
      }
      // What breaks off an open character may itself begin one.
      size_t open = ended_ ? 0 : OpenTail(carry_);
      if (open == carry_.size()) continue;
      out_ = carry_.substr(0, carry_.size() - open);
      carry_.erase(0, carry_.size() - open);
      return Checked(out_);
    }
    if (rest_.empty()) return rest_;
    absl::string_view slice = rest_.substr(0, kSliceBytes);
    size_t open = OpenTail(slice);
    rest_.remove_prefix(slice.size() - open);
    if (rest_.size() == open) {
      carry_ = std::string(rest_);
      rest_ = {};
    }
    slice.remove_suffix(open);
    if (!slice.empty()) return Checked(slice);
  }
}

absl::StatusOr<absl::string_view> Utf8Body::Checked(absl::string_view text) {
  const int64_t begin = offset_;
  offset_ += static_cast<int64_t>(text.size());
  size_t bad = FindInvalidUtf8(text);
  if (bad == absl::string_view::npos) return text;
  if (!replaces_) return NotUtf8Error(text, bad, begin);
  std::string clean(text.substr(0, bad));
  for (size_t at = bad; at < text.size();) {
    size_t bytes = Utf8Length(text.substr(at));
    replaced_ += bytes == 0;
    absl::string_view character = bytes == 0 ? kReplacement : text.substr(at, bytes);
    clean.append(character.data(), character.size());
    at += std::max<size_t>(bytes, 1);
  }
  out_ = std::move(clean);
  return absl::string_view(out_);
}

absl::StatusOr<absl::string_view> Utf8Body::ReadConverted() {
  const bool first = offset_ == 0;
  out_.clear();
  while (out_.empty() && !ended_) {
    if (rest_.empty()) RETURN_IF_ERROR(Refill());
    absl::string_view slice = rest_.substr(0, kSliceBytes);
    rest_.remove_prefix(slice.size());
    converter_->Convert(slice, ended_, out_, replaced_);
    if (first && offset_ == 0 && !out_.empty()) {
      offset_ = static_cast<int64_t>(out_.size());
      if (absl::StartsWith(out_, kByteOrderMark)) out_.erase(0, kByteOrderMark.size());
    }
  }
  return absl::string_view(out_);
}

}  // namespace chartly::drone
