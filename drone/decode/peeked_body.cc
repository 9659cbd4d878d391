#include "drone/decode/peeked_body.h"

#include "common/status/status.h"

namespace chartly::drone {

absl::StatusOr<absl::string_view> PeekedBody::Peek(size_t bytes) {
  while (!at_end_ && Held().size() < bytes) {
    joined_ = std::string(Held());
    skipped_ = 0;
    ASSIGN_OR_RETURN(absl::string_view next, body_.Read());
    at_end_ = next.empty();
    if (joined_.empty()) {
      piece_ = next;
    } else {
      joined_.append(next.data(), next.size());
      piece_ = joined_;
    }
  }
  return Held();
}

absl::StatusOr<absl::string_view> PeekedBody::Read() {
  if (!given_) {
    given_ = true;
    if (!Held().empty()) return Held();
  }
  return body_.Read();
}

}  // namespace chartly::drone
