#include "drone/fetch/webhook_source.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

// The payload of a delivery, which outlives it.
class DeliveryBody final : public Body {
 public:
  explicit DeliveryBody(absl::string_view text) : text_(text) {}
  absl::StatusOr<absl::string_view> Read() override {
    absl::string_view piece = text_.substr(0, kPieceBytes);
    text_.remove_prefix(piece.size());
    return piece;
  }

 private:
  static constexpr size_t kPieceBytes = size_t{256} << 10;
  absl::string_view text_;
};

}  // namespace

WebhookSource::WebhookSource(const Profile& profile, const SourceDeps& deps)
    : profile_id_(profile.id),
      limits_(profile.limits),
      steady_(deps.steady_clock()),
      deadline_(deps.deadline),
      deliveries_(deps.deliveries) {}

absl::StatusOr<std::optional<Page>> WebhookSource::Next(const DecodeResult*) {
  if (cancelled_) return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while fetching");
  const bool done = deliveries_ == nullptr || given_ == deliveries_->size() || !truncated_by_.empty();
  if (done) return std::nullopt;
  const Delivery& delivery = (*deliveries_)[given_];
  bytes_ += static_cast<int64_t>(delivery.body.size());
  if (bytes_ > limits_.max_bytes && given_ == 0) {
    return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
                 absl::StrCat("the delivery ", delivery.id, " is larger than limits.max_bytes (", limits_.max_bytes,
                              " bytes); raise it in the profile"),
                 {{"webhook_id", delivery.id}, {"limit", kMaxBytesLimit}});
  }
  if (static_cast<int64_t>(given_) >= limits_.max_pages) truncated_by_ = kMaxPagesLimit;
  if (bytes_ > limits_.max_bytes) truncated_by_ = kMaxBytesLimit;
  if (steady_.Now() >= deadline_) truncated_by_ = kRunTimeoutLimit;
  if (!truncated_by_.empty()) return std::nullopt;
  ++given_;
  return Page{static_cast<uint32_t>(given_), absl::StrCat("webhook:", profile_id_, "/", delivery.id),
              delivery.content_type, std::make_unique<DeliveryBody>(delivery.body), delivery.received_at};
}

}  // namespace chartly::drone
