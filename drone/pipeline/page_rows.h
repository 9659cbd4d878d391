// Takes the rows of pages from a decoder, normalizes them, and hands packed batches on: one batch a page, or several
// where a page is large, so that the provenance of every row (address, SHA-256, page) is that of its own payload.
//
// Not thread-safe; one a run.
#ifndef CHARTLY_DRONE_PIPELINE_PAGE_ROWS_H_
#define CHARTLY_DRONE_PIPELINE_PAGE_ROWS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/batch/batch.h"
#include "common/normalize/normalizer.h"
#include "common/profile/profile.h"
#include "common/value/value.h"
#include "drone/decode/decoder.h"

namespace chartly::drone {

// A batch costs a sync of the disk, however large it is.
inline constexpr uint32_t kBatchRowsTarget = 16384;
inline constexpr size_t kBatchBytesTarget = size_t{2} << 20;

class PageRows final : public RowSink {
 public:
  using HandOn = std::function<absl::Status(std::string batch, int64_t fetched)>;

  // `watermark_slot`: of source.incremental.field in a Row, if the mapping does not take it.
  PageRows(const Profile& profile, Normalizer& normalizer, std::optional<size_t> watermark_slot, HandOn hand_on);
  void BeginPage(const BatchHeader& origin, uint32_t page, const std::atomic<bool>* cancelled);
  // Stops the decoder with OutOfRange at limits.max_records (limit_reached()), with Cancelled, with what the receiver
  // of batches said, or with InvalidArgument (ROW_INVALID) if the profile says on_invalid: fail_run.
  absl::Status OnRow(const Row& row, uint32_t number) override;
  absl::Status OnBadRow(absl::string_view reason_code, absl::string_view message, absl::string_view raw,
                        uint32_t number) override;
  // Where nothing is decided on each row.
  bool takes_blocks() const override { return profile_.on_invalid == OnInvalid::kQuarantine && !watermark_slot_; }
  absl::Status OnBlock(const RowBlock& block, uint32_t first_number) override;
  // Hands on what is left of the page.
  absl::Status Flush();

  // The largest value of source.incremental.field among the kept rows that were handed on; null if there is none.
  const Value& newest() const { return newest_; }
  // Rows handed on as records, and in quarantine.
  int64_t kept() const { return kept_; }
  int64_t quarantined() const { return quarantined_; }

  // Rows taken so far, all pages.
  int64_t fetched() const { return fetched_; }
  bool limit_reached() const { return limit_reached_; }

 private:
  absl::Status Admit();
  // How many of `rows` may still come; OutOfRange or Cancelled if none.
  absl::StatusOr<size_t> AdmitSome(size_t rows);
  absl::Status Invalid(absl::string_view reason, absl::string_view message, uint32_t number) const;
  absl::Status FlushIfLarge();
  void TakeNewest();
  void TakeNewestOf(const Row& row);

  const Profile& profile_;
  Normalizer& normalizer_;
  HandOn hand_on_;
  BatchBuilder builder_;
  const std::atomic<bool>* cancelled_ = nullptr;
  uint32_t page_ = 0;
  int64_t fetched_ = 0;
  bool limit_reached_ = false;
  std::optional<size_t> watermark_column_;
  const std::optional<size_t> watermark_slot_;
  Value newest_in_rows_;  // of watermark_slot_; newest_ takes it when the batch is handed on
  Value newest_;
  int64_t kept_ = 0;
  int64_t quarantined_ = 0;
};

// The line of the mapping that takes source.incremental.field, by its target or its source; null if none does.
const MappingEntry* FindWatermark(const Profile& profile);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_PAGE_ROWS_H_
