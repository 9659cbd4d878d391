#include "drone/decode/json_index.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/utf8.h"

namespace chartly::drone {
namespace {

constexpr size_t kMinCapacity = size_t{4} << 10;
constexpr size_t kDepth = 64;  // unused by the first stage, but it must be something
constexpr size_t kShownBytes = 24;

// Closes an open string, whether or not it ends with a backslash.
constexpr char kClosing[kJsonWritten] = {'n', '"'};

// The first control character inside a string; the end if there is none.
size_t FindControlInString(absl::string_view text) {
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') in_string = !in_string;
    if (!in_string) continue;
    if (text[i] == '\\') ++i;
    if (i < text.size() && static_cast<unsigned char>(text[i]) < 0x20) return i;
  }
  return text.size();
}

}  // namespace

struct JsonIndex::Stage {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

JsonIndex::JsonIndex() : stage_(std::make_unique<Stage>()) {}
JsonIndex::~JsonIndex() = default;

int JsonIndex::Reserve(size_t size) {
  auto& parser = stage_->parser;
  if (parser != nullptr && parser->capacity() >= size) return simdjson::SUCCESS;
  // Pages of the array that are never written take no memory.
  size_t capacity = std::max(kMinCapacity, size);
  return simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, kDepth, parser);
}

int JsonIndex::Run(size_t size) {
  return stage_->parser->stage1(reinterpret_cast<const uint8_t*>(text_), size, simdjson::stage1_mode::regular);
}

absl::Status JsonIndex::Build(char* text, size_t size, size_t offset) {
  text_ = text;
  text_size_ = size;
  offset_ = offset;
  size_ = 0;
  backslash_from_ = 1;
  backslash_ = 0;
  std::fill_n(text + size, kJsonWritten, '\0');
  int error = Reserve(size + sizeof(kClosing));
  if (error) return Error(absl::StatusCode::kResourceExhausted, "PAYLOAD_TOO_LARGE", "no memory to index the JSON");
  error = size == 0 ? int{simdjson::EMPTY} : Run(size);
  in_string_ = error == simdjson::UNCLOSED_STRING;
  if (in_string_) {
    std::copy(std::begin(kClosing), std::end(kClosing), text + size);
    error = Run(size + sizeof(kClosing));
    std::fill_n(text + size, sizeof(kClosing), '\0');
  }
  tokens_ = stage_->parser->structural_indexes.get();
  end_ = size;
  if (error == simdjson::SUCCESS) {
    size_ = stage_->parser->n_structural_indexes - (in_string_ ? 1 : 0);
    if (in_string_) end_ = tokens_[size_];
  }
  tokens_[size_] = tokens_[size_ + 1] = static_cast<uint32_t>(size);
  if (error == simdjson::SUCCESS || error == simdjson::EMPTY) return absl::OkStatus();
  absl::string_view all(text, size);
  size_t bad_utf8 = FindInvalidUtf8(all);
  if (bad_utf8 != absl::string_view::npos) return NotUtf8Error(all, bad_utf8, static_cast<int64_t>(offset));
  size_t control = FindControlInString(all);
  return NotJsonError(*this, control, "a control character in a text must be escaped");
}

size_t JsonIndex::FindBackslash(size_t position) const {
  const void* found = std::memchr(text_ + position, '\\', text_size_ - position);
  backslash_from_ = position;
  backslash_ = found == nullptr ? text_size_ : static_cast<size_t>(static_cast<const char*>(found) - text_);
  return backslash_;
}

absl::Status NotJsonError(const JsonIndex& index, size_t position, absl::string_view why) {
  absl::string_view text(index.text(), index.text_size());
  std::string where;
  if (position < text.size()) {
    where = absl::StrCat(" near byte ", index.offset() + position, ": \"",
                         absl::CHexEscape(text.substr(position, kShownBytes)), "\"");
  }
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_JSON",
               absl::StrCat("not valid JSON", where, " (", why, ")"));
}

absl::Status TruncatedJsonError(const JsonIndex& index) {
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_TRUNCATED",
               absl::StrCat("the JSON ends in the middle, after ", index.offset() + index.text_size(),
                            " bytes; it was cut off on its way"));
}

}  // namespace chartly::drone
