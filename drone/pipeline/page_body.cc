#include "drone/pipeline/page_body.h"

#include "common/status/status.h"

namespace chartly::drone {

absl::StatusOr<absl::string_view> PageBody::Take() {
  RETURN_IF_ERROR(status_);
  if (whole_) return absl::string_view();
  absl::StatusOr<absl::string_view> piece = body_.Read();
  status_ = piece.status();
  if (!piece.ok()) return status_;
  if (piece->empty()) {
    whole_ = true;
    sha256_ = hash_.Hex();
    return absl::string_view();
  }
  hash_.Add(*piece);
  bytes_ += static_cast<int64_t>(piece->size());
  return piece;
}

void PageBody::ReadAhead(size_t bytes) {
  while (ahead_.size() < bytes) {
    absl::StatusOr<absl::string_view> piece = Take();
    if (!piece.ok() || piece->empty()) return;
    ahead_.append(piece->data(), piece->size());
  }
}

absl::StatusOr<absl::string_view> PageBody::Read() {
  if (!ahead_given_) {
    ahead_given_ = true;
    if (!ahead_.empty()) return absl::string_view(ahead_);
  }
  ahead_ = std::string();
  return Take();
}

}  // namespace chartly::drone
