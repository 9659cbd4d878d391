#include "drone/decode/json_document.h"

namespace chartly::drone {

absl::string_view JsonDocument::KindName(size_t value) const {
  switch (index_.At(value)) {
    case '{':
      return "an object";
    case '[':
      return "an array";
    case '"':
      return "a text";
    case 'n':
      return "null";
    case 't':
    case 'f':
      return "true or false";
    default:
      return "a number";
  }
}

size_t JsonDocument::Skip(size_t value) const {
  size_t depth = 0;
  do {
    char c = index_.At(value++);
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  } while (depth > 0);
  return value;
}

absl::string_view JsonDocument::Source(size_t value) const {
  size_t begin = index_.tokens()[value];
  size_t end = index_.tokens()[Skip(value)];
  while (IsJsonBlank(index_.text()[end - 1])) --end;
  return absl::string_view(index_.text() + begin, end - begin);
}

Field JsonDocument::Get(size_t value, std::string& scratch) const {
  absl::string_view source = Source(value);
  switch (source[0]) {
    case '{':
    case '[':
      return {Field::Kind::kComposite, source};
    case '"': {
      absl::string_view raw = source.substr(1, source.size() - 2);
      if (raw.find('\\') == absl::string_view::npos) return {Field::Kind::kText, raw};
      scratch.resize(raw.size());
      const char* end = UnescapeJson(raw, scratch.data());
      return {Field::Kind::kText, absl::string_view(scratch.data(), static_cast<size_t>(end - scratch.data()))};
    }
    case 'n':
      return {Field::Kind::kNull, source};
    case 't':
    case 'f':
      return {Field::Kind::kBoolean, source};
    default:
      return {Field::Kind::kNumber, source};
  }
}

std::string JsonDocument::Text(size_t value) const {
  std::string scratch;
  return std::string(Get(value, scratch).text);
}

size_t JsonDocument::First(size_t container) const {
  char c = index_.At(container + 1);
  return c == '}' || c == ']' ? kNone : container + 1;
}

size_t JsonDocument::Member(size_t value, absl::string_view key) const {
  size_t found = kNone;
  if (!IsObject(value)) return found;
  std::string scratch;
  for (size_t i = First(value); i != kNone; i = Following(Skip(ValueOf(i)))) {
    if (Get(i, scratch).text == key) found = ValueOf(i);
  }
  return found;
}

size_t JsonDocument::Element(size_t value, size_t index) const {
  if (!IsArray(value)) return kNone;
  for (size_t i = First(value); i != kNone; i = Following(Skip(i))) {
    if (index-- == 0) return i;
  }
  return kNone;
}

size_t JsonDocument::Follow(size_t value, const std::vector<PathStep>& steps) const {
  for (const PathStep& step : steps) {
    if (value == kNone) return kNone;
    value = step.kind == PathStep::Kind::kIndex ? Element(value, step.index) : Member(value, step.key);
  }
  return value;
}

}  // namespace chartly::drone
