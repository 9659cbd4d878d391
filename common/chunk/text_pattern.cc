#include "common/chunk/text_pattern.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/chunk/integer_stream.h"

namespace chartly {
namespace {

constexpr size_t kMaxPatternBytes = 256;  // of a text
constexpr size_t kMaxFields = 64;
constexpr size_t kMaxDigits = 18;
// As many as fit into a packed integer.
constexpr size_t kMaxFixedDigits = 16;
constexpr size_t kMaxHexDigits = 14;
// Bytes that are neither digits nor the same in all texts: more of them are better left to the compressor.
constexpr size_t kMaxByteFields = 8;

constexpr char kLowerDigits[] = "0123456789abcdef";
constexpr char kUpperDigits[] = "0123456789ABCDEF";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// What the bytes of one place are, over all texts.
enum PlaceFlag : uint8_t { kVaries = 1, kDecimal = 2, kLower = 4, kUpper = 8 };

uint8_t FlagsOf(char c) {
  if (IsDigit(c)) return kDecimal | kLower | kUpper;
  if (c >= 'a' && c <= 'f') return kLower;
  if (c >= 'A' && c <= 'F') return kUpper;
  return 0;
}

int64_t DigitsValue(absl::string_view digits) {
  int64_t value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  return value;
}

int64_t HexValue(absl::string_view digits) {
  int64_t value = 0;
  for (char c : digits) value = value << 4 | (IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  return value;
}

int64_t PowerOf(int64_t base, size_t power) {
  int64_t result = 1;
  for (; power > 0; --power) result *= base;
  return result;
}

}  // namespace

std::optional<TextPattern> TextPattern::FindFixed(absl::Span<const absl::string_view> texts) {
  const absl::string_view first = texts[0];
  std::vector<uint8_t> places;
  for (char c : first) places.push_back(FlagsOf(c));
  for (absl::string_view text : texts) {
    if (text.size() != first.size()) return std::nullopt;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == first[i]) continue;
      places[i] = static_cast<uint8_t>((places[i] & (FlagsOf(text[i]) | kVaries)) | kVaries);
    }
  }
  TextPattern pattern;
  size_t byte_fields = 0;
  for (size_t i = 0; i < first.size();) {
    const auto begin = i;
    if ((places[i] & kVaries) == 0) {
      while (i < first.size() && (places[i] & kVaries) == 0) ++i;
      pattern.fields_.push_back({Kind::kLiteral, i - begin, std::string(first.substr(begin, i - begin))});
      continue;
    }
    // The longest stretch of varying digits, in the narrowest class that holds all of it.
    uint8_t shared = places[i];
    while (i < first.size() && (places[i] & kVaries) != 0 && (shared & places[i] & (kLower | kUpper)) != 0) {
      shared &= places[i];
      ++i;
    }
    if (i == begin) {
      if (++byte_fields > kMaxByteFields) return std::nullopt;
      pattern.fields_.push_back({Kind::kByte, 1, ""});
      ++i;
      continue;
    }
    const bool decimal = (shared & kDecimal) != 0;
    const Kind kind = decimal ? Kind::kDigits : (shared & kLower) != 0 ? Kind::kLowerHex : Kind::kUpperHex;
    const size_t most = decimal ? kMaxFixedDigits : kMaxHexDigits;
    for (size_t at = begin; at < i; at += most) pattern.fields_.push_back({kind, std::min(most, i - at), ""});
  }
  if (pattern.fields_.size() > kMaxFields) return std::nullopt;
  return pattern;
}

std::optional<TextPattern> TextPattern::FindVarying(absl::Span<const absl::string_view> texts) {
  TextPattern pattern;
  const absl::string_view first = texts[0];
  for (size_t i = 0; i < first.size();) {
    const size_t begin = i;
    const bool digits = IsDigit(first[i]);
    while (i < first.size() && IsDigit(first[i]) == digits) ++i;
    const Kind kind = digits ? Kind::kNumber : Kind::kLiteral;
    pattern.fields_.push_back({kind, i - begin, digits ? "" : std::string(first.substr(begin, i - begin))});
  }
  if (pattern.fields_.size() > kMaxFields) return std::nullopt;
  std::vector<std::vector<int64_t>> ignored(pattern.fields_.size());
  for (absl::string_view text : texts) {
    if (text.size() > kMaxPatternBytes || !CollectNumbers(text, pattern, ignored)) return std::nullopt;
  }
  return pattern;
}

std::optional<TextPattern> TextPattern::Find(absl::Span<const absl::string_view> texts) {
  if (texts.empty() || texts[0].empty() || texts[0].size() > kMaxPatternBytes) return std::nullopt;
  std::optional<TextPattern> fixed = FindFixed(texts);
  return fixed ? fixed : FindVarying(texts);
}

// Appends the number of each field; false if the text does not follow the pattern.
bool TextPattern::CollectNumbers(absl::string_view text, const TextPattern& pattern,
                                 std::vector<std::vector<int64_t>>& numbers) {
  size_t at = 0;
  for (size_t i = 0; i < pattern.fields_.size(); ++i) {
    const Field& field = pattern.fields_[i];
    size_t width = field.width;
    if (field.kind == Kind::kNumber) {
      width = 0;
      while (at + width < text.size() && IsDigit(text[at + width])) ++width;
      const bool padded = width > 1 && text[at] == '0';
      if (width == 0 || width > kMaxDigits || padded) return false;
    }
    if (at + width > text.size()) return false;
    const absl::string_view part = text.substr(at, width);
    at += width;
    switch (field.kind) {
      case Kind::kLiteral:
        if (part != field.literal) return false;
        break;
      case Kind::kDigits:
      case Kind::kNumber:
        numbers[i].push_back(DigitsValue(part));
        break;
      case Kind::kLowerHex:
      case Kind::kUpperHex:
        numbers[i].push_back(HexValue(part));
        break;
      case Kind::kByte:
        numbers[i].push_back(static_cast<uint8_t>(part[0]));
        break;
    }
  }
  return at == text.size();
}

void TextPattern::Encode(absl::Span<const absl::string_view> texts, std::string& out) const {
  std::vector<std::vector<int64_t>> numbers(fields_.size());
  for (absl::string_view text : texts) CollectNumbers(text, *this, numbers);
  AppendVarint(fields_.size(), out);
  for (const Field& field : fields_) {
    out.push_back(static_cast<char>(field.kind));
    AppendVarint(field.width, out);
    out += field.literal;
  }
  for (const std::vector<int64_t>& stream : numbers) EncodeIntegers(stream, out);
}

bool TextPattern::ReadFields(ByteReader& in, std::vector<Field>& fields) {
  size_t count = 0;
  if (!in.Count(kMaxFields, count)) return false;
  for (size_t i = 0; i < count; ++i) {
    uint8_t kind = 0;
    Field field;
    absl::string_view literal;
    if (!in.Byte(kind) || kind > static_cast<uint8_t>(Kind::kByte) || !in.Count(kMaxPatternBytes, field.width)) {
      return false;
    }
    field.kind = static_cast<Kind>(kind);
    const bool decimal = field.kind == Kind::kDigits;
    const bool hex = field.kind == Kind::kLowerHex || field.kind == Kind::kUpperHex;
    if ((decimal && field.width > kMaxFixedDigits) || (hex && field.width > kMaxHexDigits)) return false;
    if (field.kind == Kind::kByte) field.width = 1;
    if (field.kind == Kind::kNumber) field.width = kMaxDigits;
    if (field.kind == Kind::kLiteral && !in.Bytes(field.width, literal)) return false;
    field.literal = std::string(literal);
    fields.push_back(std::move(field));
  }
  return true;
}

// Requires: the number fits the field.
inline char* TextPattern::Write(const Field& field, int64_t number, char* at) {
  switch (field.kind) {
    case Kind::kLiteral:
      std::memcpy(at, field.literal.data(), field.width);
      return at + field.width;
    case Kind::kDigits:
      for (size_t i = field.width; i-- > 0; number /= 10) at[i] = static_cast<char>('0' + number % 10);
      return at + field.width;
    case Kind::kNumber:
      return std::to_chars(at, at + kMaxDigits, number).ptr;
    case Kind::kLowerHex:
      for (size_t i = field.width; i-- > 0; number >>= 4) at[i] = kLowerDigits[number & 15];
      return at + field.width;
    case Kind::kUpperHex:
      for (size_t i = field.width; i-- > 0; number >>= 4) at[i] = kUpperDigits[number & 15];
      return at + field.width;
    case Kind::kByte:
      *at = static_cast<char>(number);
      return at + 1;
  }
  return at;
}

bool TextPattern::Decode(ByteReader& in, size_t count, std::vector<uint32_t>& ends, std::string& heap,
                         ChunkScratch& scratch) {
  std::vector<Field> fields;
  if (!ReadFields(in, fields)) return false;
  size_t longest = 0;
  for (const Field& field : fields) longest += field.width;
  // Keeps the heap far below its bound: at most 65,536 texts.
  if (longest > 4 * kMaxPatternBytes) return false;
  auto numbers = scratch.TakeIntegers();
  numbers->resize(count * fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    const Field& field = fields[i];
    if (field.kind == Kind::kLiteral) continue;
    int64_t* stream = numbers->data() + i * count;
    if (!DecodeIntegers(in, count, stream, scratch)) return false;
    int64_t limit = 256;
    if (field.kind == Kind::kDigits || field.kind == Kind::kNumber) limit = PowerOf(10, field.width);
    if (field.kind == Kind::kLowerHex || field.kind == Kind::kUpperHex) limit = PowerOf(16, field.width);
    uint64_t largest = 0;
    for (size_t row = 0; row < count; ++row) largest = std::max(largest, static_cast<uint64_t>(stream[row]));
    if (largest >= static_cast<uint64_t>(limit)) return false;
  }
  heap.resize(count * longest);
  ends.resize(count);
  char* at = heap.data();
  for (size_t row = 0; row < count; ++row) {
    for (size_t i = 0; i < fields.size(); ++i) at = Write(fields[i], (*numbers)[i * count + row], at);
    ends[row] = static_cast<uint32_t>(at - heap.data());
  }
  heap.resize(static_cast<size_t>(at - heap.data()));
  return true;
}

}  // namespace chartly
