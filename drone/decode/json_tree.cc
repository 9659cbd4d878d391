#include "drone/decode/json_tree.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/utf8.h"

namespace chartly::drone {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kMaxDepth = 64;
// The body is read as the one element of an array: then a lone scalar, trailing text and a missing end are all met by
// the same code, and the copy is made anyway, for the padding.
constexpr size_t kWrapBytes = 1;

absl::string_view Trimmed(std::string_view token) {
  return absl::StripTrailingAsciiWhitespace(absl::string_view(token.data(), token.size()));
}

size_t CountDigits(absl::string_view text, size_t from) {
  size_t end = from;
  while (end < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[end]))) ++end;
  return end - from;
}

// RFC 8259 section 6. simdjson checks numbers only when it converts them, which would cost their digits.
bool IsNumber(absl::string_view text) {
  size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  size_t digits = CountDigits(text, at);
  if (digits == 0 || (digits > 1 && text[at] == '0')) return false;
  at += digits;
  if (at < text.size() && text[at] == '.') {
    digits = CountDigits(text, at + 1);
    if (digits == 0) return false;
    at += 1 + digits;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    digits = CountDigits(text, at);
    if (digits == 0) return false;
    at += digits;
  }
  return at == text.size();
}

// Whether a text that is no JSON is the beginning of one: it ends inside a string or with brackets open.
bool EndsInTheMiddle(absl::string_view text) {
  std::string open;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      open.push_back(c == '[' ? ']' : '}');
    } else if (c == ']' || c == '}') {
      if (open.empty() || open.back() != c) return false;
      open.pop_back();
    }
  }
  return in_string || !open.empty();
}

absl::Status Invalid(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status Explain(absl::string_view body, simdjson::error_code code, size_t offset) {
  size_t bad_utf8 = FindInvalidUtf8(body);
  if (bad_utf8 != absl::string_view::npos) return NotUtf8Error(body, bad_utf8);
  if (code == simdjson::DEPTH_ERROR) return Invalid("PAYLOAD_TOO_DEEP", "the JSON is nested more than 64 levels deep");
  if (EndsInTheMiddle(body)) {
    return Invalid("PAYLOAD_TRUNCATED", absl::StrCat("the JSON ends in the middle, after ", body.size(),
                                                     " bytes; it was cut off on its way"));
  }
  std::string where;
  if (offset < body.size()) {
    where = absl::StrCat(" near byte ", offset, ": \"", absl::CHexEscape(body.substr(offset, 24)), "\"");
  }
  return Invalid("PAYLOAD_NOT_JSON", absl::StrCat("not valid JSON", where, " (", simdjson::error_message(code), ")"));
}

}  // namespace

struct JsonTree::Parser {
  ondemand::parser parser;
};

// Walks the document once and appends its values in order.
class JsonTree::Builder {
 public:
  Builder(std::vector<Node>& nodes, const char* end) : nodes_(nodes), end_(end) {}

  simdjson::error_code Document(ondemand::document& document) {
    ondemand::array wrap;
    if (auto error = document.get_array().get(wrap)) return error;
    int count = 0;
    for (auto element : wrap) {
      ondemand::value value;
      if (auto error = element.get(value)) return error;
      if (++count > 1) return simdjson::TAPE_ERROR;
      if (auto error = Value(value, {}, 0)) return error;
    }
    if (count == 0) return simdjson::EMPTY;
    const char* rest = nullptr;
    return document.current_location().get(rest) == simdjson::SUCCESS ? simdjson::TAPE_ERROR : simdjson::SUCCESS;
  }

  // The scalar that was wrong; null if something else was.
  const char* failed_at() const { return failed_at_; }

 private:
  simdjson::error_code Value(ondemand::value& value, std::string_view key, int depth) {
    std::string_view token = value.raw_json_token();
    Index index = static_cast<Index>(nodes_.size());
    nodes_.push_back({key.data(), token.data(), static_cast<uint32_t>(key.size()), 0, index + 1, Kind::kNull});
    switch (token.empty() ? '\0' : token[0]) {
      case '{':
        return Container(value, index, depth, Kind::kObject);
      case '[':
        return Container(value, index, depth, Kind::kArray);
      case '"':
        return String(value, index);
      default:
        return Scalar(Trimmed(token), index);
    }
  }

  simdjson::error_code String(ondemand::value& value, Index index) {
    std::string_view text;
    if (auto error = value.get_string().get(text)) return error;
    nodes_[index].kind = Kind::kString;
    nodes_[index].text = text.data();
    nodes_[index].text_size = static_cast<uint32_t>(text.size());
    return simdjson::SUCCESS;
  }

  // The value itself is left to the iterator, which steps over what was not asked for.
  simdjson::error_code Scalar(absl::string_view token, Index index) {
    Node& node = nodes_[index];
    node.text_size = static_cast<uint32_t>(token.size());
    if (token == "true" || token == "false") {
      node.kind = Kind::kBoolean;
    } else if (token == "null") {
      node.kind = Kind::kNull;
    } else if (IsNumber(token)) {
      node.kind = Kind::kNumber;
    } else {
      failed_at_ = token.data();
      return simdjson::NUMBER_ERROR;
    }
    return simdjson::SUCCESS;
  }

  simdjson::error_code Container(ondemand::value& value, Index index, int depth, Kind kind) {
    if (depth >= kMaxDepth) return simdjson::DEPTH_ERROR;
    nodes_[index].kind = kind;
    if (auto error = kind == Kind::kArray ? Array(value, depth) : Object(value, depth)) return error;
    nodes_[index].end = static_cast<Index>(nodes_.size());
    // The reader now stands at the next structural character; before it come only blanks and our own bracket.
    const char* next = nullptr;
    if (value.current_location().get(next) != simdjson::SUCCESS || next > end_) next = end_;
    const char* start = nodes_[index].text;
    while (next > start + 1 && absl::ascii_isspace(static_cast<unsigned char>(next[-1]))) --next;
    nodes_[index].text_size = static_cast<uint32_t>(next - start);
    return simdjson::SUCCESS;
  }

  simdjson::error_code Array(ondemand::value& value, int depth) {
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    for (auto element : array) {
      ondemand::value child;
      if (auto error = element.get(child)) return error;
      if (auto error = Value(child, {}, depth + 1)) return error;
    }
    return simdjson::SUCCESS;
  }

  simdjson::error_code Object(ondemand::value& value, int depth) {
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    for (auto member : object) {
      ondemand::field field;
      if (auto error = std::move(member).get(field)) return error;
      std::string_view key;
      if (auto error = field.unescaped_key().get(key)) return error;
      if (auto error = Value(field.value(), key, depth + 1)) return error;
    }
    return simdjson::SUCCESS;
  }

  std::vector<Node>& nodes_;
  const char* const end_;
  const char* failed_at_ = nullptr;
};

JsonTree::JsonTree() : parser_(std::make_unique<Parser>()) {}
JsonTree::~JsonTree() = default;

absl::Status JsonTree::Parse(absl::string_view body) {
  nodes_.clear();
  buffer_.clear();
  buffer_.reserve(body.size() + 2 * kWrapBytes + simdjson::SIMDJSON_PADDING);
  absl::StrAppend(&buffer_, "[", body, "]");
  const size_t size = buffer_.size();
  buffer_.resize(size + simdjson::SIMDJSON_PADDING, '\0');
  ondemand::document document;
  const char* failed_at = nullptr;
  auto error = parser_->parser.iterate(buffer_.data(), size, buffer_.size()).get(document);
  if (!error) {
    Builder builder(nodes_, buffer_.data() + size - kWrapBytes);
    error = builder.Document(document);
    if (!error) return absl::OkStatus();
    failed_at = builder.failed_at();
    if (failed_at == nullptr && document.current_location().get(failed_at)) failed_at = nullptr;
  }
  nodes_.clear();
  const char* first = buffer_.data() + kWrapBytes;
  bool inside = failed_at != nullptr && failed_at >= first && failed_at < first + body.size();
  return Explain(body, error, inside ? static_cast<size_t>(failed_at - first) : body.size());
}

JsonTree::Index JsonTree::Member(Index node, absl::string_view key) const {
  Index found = kNone;
  if (nodes_[node].kind != Kind::kObject) return found;
  for (Index child = FirstChild(node); child != End(node); child = Next(child)) {
    if (this->key(child) == key) found = child;
  }
  return found;
}

JsonTree::Index JsonTree::Element(Index node, size_t index) const {
  if (nodes_[node].kind != Kind::kArray) return kNone;
  for (Index child = FirstChild(node); child != End(node); child = Next(child)) {
    if (index-- == 0) return child;
  }
  return kNone;
}

JsonTree::Index JsonTree::Follow(Index node, const std::vector<PathStep>& steps) const {
  for (const PathStep& step : steps) {
    if (node == kNone) return kNone;
    node = step.kind == PathStep::Kind::kIndex ? Element(node, step.index) : Member(node, step.key);
  }
  return node;
}

}  // namespace chartly::drone
