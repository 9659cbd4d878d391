// A Body whose first bytes can be looked at before it is read. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_PEEKED_BODY_H_
#define CHARTLY_DRONE_DECODE_PEEKED_BODY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drone/decode/body.h"

namespace chartly::drone {

class PeekedBody final : public Body {
 public:
  // Requires: `body` outlives this.
  explicit PeekedBody(Body& body) : body_(body) {}

  // At least `bytes` of the begin, if there are so many; more if the first piece has more. Valid until the next call.
  // Requires: Read was not called yet.
  absl::StatusOr<absl::string_view> Peek(size_t bytes);
  // Leaves out the first `bytes`. Requires: Peek gave that many.
  void Skip(size_t bytes) { skipped_ += bytes; }
  absl::StatusOr<absl::string_view> Read() override;

 private:
  absl::string_view Held() const { return absl::string_view(piece_).substr(skipped_); }

  Body& body_;
  absl::string_view piece_;  // of body_, or of joined_ if one piece was too short
  std::string joined_;
  size_t skipped_ = 0;
  bool at_end_ = false;
  bool given_ = false;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_PEEKED_BODY_H_
