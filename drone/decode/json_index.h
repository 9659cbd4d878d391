// Where the tokens of a JSON text begin: brackets, colons, commas, and the first byte of every string and other
// scalar. Found by simdjson's first stage, which also checks UTF-8 and that no string holds a control character; the
// grammar is checked by those who walk over the tokens (JsonBinder). Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_INDEX_H_
#define CHARTLY_DRONE_DECODE_JSON_INDEX_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drone/decode/json_lexer.h"

namespace chartly::drone {

inline constexpr size_t kJsonWritten = 2;

class JsonIndex {
 public:
  JsonIndex();
  ~JsonIndex();

  // Indexes the text, which must outlive the use of the index; its byte number 0 is byte `offset` of the payload, for
  // messages. A string that is not closed is no token. InvalidArgument: PAYLOAD_NOT_UTF8 or PAYLOAD_NOT_JSON; the index
  // is then empty. Requires: kJsonPadding readable bytes after the text, of which the first kJsonWritten are
  // overwritten; text[size] is zero afterwards.
  absl::Status Build(char* text, size_t size, size_t offset);

  const char* text() const { return text_; }
  size_t text_size() const { return text_size_; }
  size_t offset() const { return offset_; }
  bool in_string() const { return in_string_; }  // the text ends in a string that is not closed
  // Where token number `token` begins; of the one after the last, where a string that is not closed does, or the end.
  size_t Position(size_t token) const { return token < size_ ? tokens_[token] : end_; }
  // Positions in the text; tokens()[size()] is the end of the text, where a zero byte stands.
  const uint32_t* tokens() const { return tokens_; }
  size_t size() const { return size_; }
  // The byte a token begins with.
  char At(size_t token) const { return text_[tokens_[token]]; }
  // The position of the first backslash from `position` on; text_size() if there is none. Looks at each byte once, as
  // long as the positions ascend.
  size_t FirstBackslash(size_t position) const {
    const bool known = position >= backslash_from_ && position <= backslash_;
    return known ? backslash_ : FindBackslash(position);
  }

 private:
  struct Stage;  // keeps simdjson out of the header

  int Reserve(size_t size);
  int Run(size_t size);
  size_t FindBackslash(size_t position) const;

  std::unique_ptr<Stage> stage_;
  char* text_ = nullptr;
  size_t text_size_ = 0;
  size_t offset_ = 0;
  uint32_t* tokens_ = nullptr;
  size_t size_ = 0;
  size_t end_ = 0;
  bool in_string_ = false;
  // There is no backslash from backslash_from_ up to backslash_; nothing is known if they are the wrong way around.
  mutable size_t backslash_from_ = 1;
  mutable size_t backslash_ = 0;
};

// PAYLOAD_NOT_JSON with what stands at `position` of the indexed text.
absl::Status NotJsonError(const JsonIndex& index, size_t position, absl::string_view why);
// PAYLOAD_TRUNCATED: the payload ends with the indexed text, but its JSON does not.
absl::Status TruncatedJsonError(const JsonIndex& index);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_INDEX_H_
