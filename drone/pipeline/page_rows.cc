#include "drone/pipeline/page_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

Role RoleOf(FieldRole role) {
  if (role == FieldRole::kDim) return Role::kDim;
  return role == FieldRole::kMeasure ? Role::kMeasure : Role::kAttr;
}

}  // namespace

const MappingEntry* FindWatermark(const Profile& profile) {
  const std::string& field = profile.source.incremental.field;
  if (field.empty()) return nullptr;
  for (const MappingEntry& entry : profile.mapping) {
    if (entry.from == field || absl::StrCat(FieldRolePrefix(entry.role), ".", entry.to) == field) return &entry;
  }
  return nullptr;
}

PageRows::PageRows(const Profile& profile, Normalizer& normalizer, std::optional<size_t> watermark_slot, HandOn hand_on)
    : profile_(profile), normalizer_(normalizer), hand_on_(std::move(hand_on)), watermark_slot_(watermark_slot) {
  normalizer_.Bind(builder_);
  const MappingEntry* entry = FindWatermark(profile);
  if (entry != nullptr) watermark_column_ = builder_.AddColumn(RoleOf(entry->role), entry->to);
}

void PageRows::BeginPage(const BatchHeader& origin, uint32_t page, const std::atomic<bool>* cancelled) {
  builder_.SetOrigin(origin);
  page_ = page;
  cancelled_ = cancelled;
}

absl::Status PageRows::OnRow(const Row& row, uint32_t number) {
  RETURN_IF_ERROR(Admit());
  Normalizer::Outcome outcome = normalizer_.Add(row, page_, number, builder_);
  if (outcome == Normalizer::Outcome::kQuarantined && profile_.on_invalid == OnInvalid::kFailRun) {
    return Invalid(normalizer_.last_reason(), normalizer_.last_message(), number);
  }
  if (watermark_slot_ && outcome == Normalizer::Outcome::kKept) TakeNewestOf(row);
  return FlushIfLarge();
}

absl::Status PageRows::OnBadRow(absl::string_view reason_code, absl::string_view message, absl::string_view raw,
                                uint32_t number) {
  RETURN_IF_ERROR(Admit());
  builder_.Quarantine(reason_code, "", message, raw, page_, number);
  if (profile_.on_invalid == OnInvalid::kFailRun) return Invalid(reason_code, message, number);
  return FlushIfLarge();
}

absl::Status PageRows::OnBlock(const RowBlock& block, uint32_t first_number) {
  for (size_t begin = 0; begin < block.rows();) {
    // No batch has more rows than if they had come one by one.
    const auto room = static_cast<size_t>(kBatchRowsTarget - builder_.fetched());
    ASSIGN_OR_RETURN(size_t count, AdmitSome(std::min(block.rows() - begin, room)));
    normalizer_.AddBlock(block, begin, begin + count, page_, first_number + static_cast<uint32_t>(begin), builder_);
    begin += count;
    RETURN_IF_ERROR(FlushIfLarge());
  }
  return absl::OkStatus();
}

absl::Status PageRows::Admit() { return AdmitSome(1).status(); }

absl::StatusOr<size_t> PageRows::AdmitSome(size_t rows) {
  if (cancelled_->load(std::memory_order_relaxed)) return absl::CancelledError("the run was cancelled");
  if (fetched_ >= profile_.limits.max_records) {
    limit_reached_ = true;
    return absl::OutOfRangeError("limits.max_records");
  }
  rows = static_cast<size_t>(std::min<int64_t>(static_cast<int64_t>(rows), profile_.limits.max_records - fetched_));
  fetched_ += static_cast<int64_t>(rows);
  return rows;
}

absl::Status PageRows::Invalid(absl::string_view reason, absl::string_view message, uint32_t number) const {
  return Error(absl::StatusCode::kInvalidArgument, "ROW_INVALID",
               absl::StrCat("row ", number, " breaks the contract (", reason, "): ", message,
                            "; the profile says on_invalid: fail_run"));
}

absl::Status PageRows::FlushIfLarge() {
  bool large = builder_.fetched() >= kBatchRowsTarget || builder_.bytes() >= kBatchBytesTarget;
  return large ? Flush() : absl::OkStatus();
}

void PageRows::TakeNewestOf(const Row& row) {
  const Field field = row.Get(*watermark_slot_);
  const bool is_number = field.kind == Field::Kind::kNumber;
  if ((!is_number && field.kind != Field::Kind::kText) || field.text.empty()) return;
  absl::StatusOr<Decimal> number = is_number ? ParseDecimal(field.text) : absl::InvalidArgumentError("text");
  Value value = number.ok() ? Value::Of(*number) : Value::Text(field.text);
  if (newest_in_rows_.is_null() || CompareValues(value, newest_in_rows_) > 0) newest_in_rows_ = std::move(value);
}

void PageRows::TakeNewest() {
  Value newest = watermark_column_ ? builder_.Largest(*watermark_column_) : newest_in_rows_;
  if (newest_.is_null() || CompareValues(newest, newest_) > 0) newest_ = std::move(newest);
}

absl::Status PageRows::Flush() {
  if (builder_.empty()) return absl::OkStatus();
  int64_t fetched = builder_.fetched();
  TakeNewest();
  kept_ += builder_.rows();
  quarantined_ += builder_.quarantined();
  ASSIGN_OR_RETURN(std::string batch, builder_.Finish());
  return hand_on_(std::move(batch), fetched);
}

}  // namespace chartly::drone
