// Reads the rows of JSON pages, one value at a time, and gives them to the sink in the shape that the profile says.
// Those who find the rows (JsonWalk, JsonStream, the lines of NDJSON) share it. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_ROW_READER_H_
#define CHARTLY_DRONE_DECODE_JSON_ROW_READER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drone/decode/decoder.h"
#include "drone/decode/json_binder.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_plan.h"
#include "drone/decode/row_blocks.h"

namespace chartly::drone {

class JsonRowReader final : private Row {
 public:
  // Requires: the plan outlives this.
  explicit JsonRowReader(const JsonPlan& plan);

  // Before each page: `outer` gives the field at a path of a level outside the rows, whose address stays.
  void Begin(RowSink& sink, absl::FunctionRef<const Field*(size_t level, size_t path)> outer);

  // Reads the value at `token` and checks it; then Give() makes a row of it (a header, or all rows of a zipped object).
  // Without Give, nothing was seen of it. See JsonBinder for what false means.
  bool Read(const JsonIndex& index, size_t token, int depth);
  size_t next() const { return binder_->next(); }
  bool on_one_line() const { return binder_->on_one_line(); }
  bool incomplete() const { return binder_->incomplete(); }
  absl::Status status() const { return binder_->status(); }
  absl::Status Give();

  // Gives rows that are objects on lines of their own, from the one at `token` on, as far as they are of the shape of
  // the last one; returns the token behind them. None is given where that would not pay.
  absl::StatusOr<size_t> GiveLines(const JsonIndex& index, size_t token);

  // The name of the member that is read next, for shape keyed.
  void SetKey(absl::string_view key);
  absl::Status GiveBad(absl::string_view why, absl::string_view raw);
  // Hands on what is kept of the rows that were given. To be called before an index that rows were read from is built
  // anew or its text moves, before another index is read from, and at the end of the page.
  absl::Status Flush();

  int64_t rows() const { return rows_; }

 private:
  Field Get(size_t slot) const override { return *fields_[slot]; }
  const Field* const* fields() const override { return fields_.data(); }
  std::string Raw() const override;

  absl::Status Give(const Row& row);
  absl::string_view Source() const;
  bool CanGiveBlocks() const;
  bool HasCellsOfTheirOwn() const;
  absl::Status GiveInBlock();
  absl::Status GiveHeader();
  absl::Status GiveCells();
  absl::Status GiveZipped();

  const JsonPlan& plan_;
  std::unique_ptr<JsonBinder> binder_;
  std::vector<std::string> header_;  // of this page, empty before it was read
  std::vector<const Field*> fields_;
  RowSink* sink_ = nullptr;
  RowBlocks blocks_;
  bool in_blocks_ = false;
  bool in_lines_ = false;        // whether rows may be read many at a time
  size_t alike_ = 0;             // rows of one shape that came one behind the other
  std::vector<Field*> columns_;  // by cell
  int64_t rows_ = 0;
  const JsonIndex* index_ = nullptr;
  size_t token_ = 0;
  std::string key_text_;
  Field key_;
  const Field nowhere_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_ROW_READER_H_
