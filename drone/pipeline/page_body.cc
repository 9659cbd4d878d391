#include "drone/pipeline/page_body.h"

#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;  // of a body, at most

}  // namespace

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
  if (tap_) tap_(*piece);
  bytes_ += static_cast<int64_t>(piece->size());
  return piece;
}

void PageBody::ReadAhead(size_t bytes) {
  ahead_.reserve(bytes + kPieceBytes);  // pages of it that are never written take no memory
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
  std::string().swap(ahead_);  // assigning would keep its memory
  ASSIGN_OR_RETURN(absl::string_view piece, Take());
  status_ = admit_(static_cast<int64_t>(piece.size()));
  if (!status_.ok()) return status_;
  return piece;
}

}  // namespace chartly::drone
