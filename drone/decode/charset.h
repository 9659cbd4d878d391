// A payload in any character set, as UTF-8.
//
// The charset is the first of: what the profile says, a byte order mark (or the zero bytes of UTF-16 and UTF-32
// markup), the content type, the XML declaration, UTF-8. As in browsers, ISO-8859-1 means windows-1252, which has it
// all and is what such texts are written in; US-ASCII and an XML declaration of UTF-16 that can be read as ASCII mean
// UTF-8.
#ifndef CHARTLY_DRONE_DECODE_CHARSET_H_
#define CHARTLY_DRONE_DECODE_CHARSET_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drone/decode/body.h"

namespace chartly::drone {

// How a text is to be read. The name is in lower case.
struct Charset {
  std::string name = "utf-8";
  const char* told_by = "default";  // "source.charset", "content type", ...
};

// `first_bytes` of the payload, 1024 if it has so many.
Charset ChooseCharset(absl::string_view configured, absl::string_view content_type, absl::string_view first_bytes);

// Reads another body as UTF-8, without a byte order mark, in bounded memory. Pieces end between characters. Not
// thread-safe.
//
// UTF-8 that is not is InvalidArgument (PAYLOAD_NOT_UTF8) with the offset, unless source.charset asked for UTF-8; then,
// and in every other charset, what cannot be read becomes U+FFFD and is counted. A charset that nobody knows is
// InvalidArgument (CHARSET_UNKNOWN). Errors of the body are returned as they are.
class Utf8Body final : public Body {
 public:
  // Requires: `body` and `content_type` outlive this.
  Utf8Body(Body& body, absl::string_view charset, absl::string_view content_type);
  ~Utf8Body() override;

  absl::StatusOr<absl::string_view> Read() override;
  int64_t replaced() const { return replaced_; }  // characters that became U+FFFD so far

 private:
  class Converter;

  absl::Status Begin();
  absl::Status Refill();
  absl::StatusOr<absl::string_view> ReadUtf8();
  absl::StatusOr<absl::string_view> Checked(absl::string_view text);
  absl::StatusOr<absl::string_view> ReadConverted();

  Body& body_;
  const std::string configured_;
  const absl::string_view content_type_;
  bool begun_ = false;
  bool replaces_ = false;
  bool ended_ = false;
  int64_t offset_ = 0;  // bytes of UTF-8 that were checked
  int64_t replaced_ = 0;
  std::string head_;        // the first pieces, if the first one was too short to choose by
  absl::string_view rest_;  // of head_ or of the piece of body_
  std::string carry_;       // the begin of a character that goes on in the next piece
  std::string out_;
  std::unique_ptr<Converter> converter_;  // none: UTF-8
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_CHARSET_H_
