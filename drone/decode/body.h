// The bytes of one payload, unpacked, read once from front to back. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_BODY_H_
#define CHARTLY_DRONE_DECODE_BODY_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

class Body {
 public:
  virtual ~Body() = default;
  // The next piece, valid until the next call; empty at the end, then again and again. Pieces are of any size up to
  // 1 MiB. Errors are those of the source (drone/fetch/source.h).
  virtual absl::StatusOr<absl::string_view> Read() = 0;
};

// A payload that is in memory already; owns it. One piece, whatever its size.
class TextBody final : public Body {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  absl::StatusOr<absl::string_view> Read() override {
    absl::string_view piece = done_ ? absl::string_view() : absl::string_view(text_);
    done_ = true;
    return piece;
  }

 private:
  std::string text_;
  bool done_ = false;
};

// The whole payload in one text. ResourceExhausted (PAYLOAD_TOO_LARGE) past `max_bytes`.
absl::StatusOr<std::string> ReadAll(Body& body, size_t max_bytes);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_BODY_H_
