// Hands the rows of a decoder to a sink in blocks, if it takes them so. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_ROW_BLOCKS_H_
#define CHARTLY_DRONE_DECODE_ROW_BLOCKS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row_block.h"
#include "drone/decode/decoder.h"

namespace chartly::drone {

class RowBlocks {
 public:
  // Before each page. Rows that were not flushed are forgotten.
  void Begin(RowSink& sink, size_t slots) {
    sink_ = &sink;
    if (block_ && block_->slots() == slots) {
      block_->Clear();
    } else {
      block_.emplace(slots);
    }
  }
  bool wanted() const { return sink_->takes_blocks(); }
  // `number` is one more than that of the row before, unless Flush was called in between. The row and its texts must
  // stay as they are until Flush. Requires: wanted().
  absl::Status Add(const Field* const* fields, absl::string_view raw, uint32_t number) {
    if (block_->rows() == 0) first_number_ = number;
    block_->Add(fields, raw);
    return block_->full() ? Flush() : absl::OkStatus();
  }
  // For rows whose fields are written where they will stand, as RowBlock says; after one of them made the block full,
  // what was written of the others is forgotten.
  RowBlock& block() { return *block_; }
  void Take(absl::string_view raw, uint32_t number) {
    if (block_->rows() == 0) first_number_ = number;
    block_->Take(raw);
  }
  // To be called before anything else is given to the sink, and before texts move.
  absl::Status Flush() {
    if (block_->rows() == 0) return absl::OkStatus();
    absl::Status status = sink_->OnBlock(*block_, first_number_);
    block_->Clear();
    return status;
  }

 private:
  RowSink* sink_ = nullptr;
  std::optional<RowBlock> block_;
  uint32_t first_number_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_ROW_BLOCKS_H_
