#include "control/aggregator/sealed_batches.h"

#include "common/batch/batch.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kTargetBytes = size_t{3} << 20;

}  // namespace

absl::StatusOr<bool> ToBatches(const RecordBlock& block,
                               absl::FunctionRef<absl::StatusOr<bool>(std::string batch)> take) {
  BatchHeader origin;
  origin.set_profile_id(block.source().profile_id);
  *origin.mutable_key() = {block.source().key.begin(), block.source().key.end()};
  BatchBuilder builder;
  builder.SetOrigin(origin);
  std::vector<std::pair<const ColumnData*, size_t>> columns;
  for (const ColumnData& column : block.columns()) {
    if (IsField(column.role)) columns.emplace_back(&column, builder.AddColumn(column.role, column.name));
  }
  absl::Status status;
  bool more = true;
  auto finish = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(std::string batch, builder.Finish());
    ASSIGN_OR_RETURN(more, take(std::move(batch)));
    return absl::OkStatus();
  };
  block.rows().ForEach(0, [&](uint32_t row) {
    builder.BeginRow(block.SourcePage(row), block.SourceRow(row));
    for (const auto& [column, to] : columns) {
      if (column->IsNull(row)) continue;
      if (column->type == ValueType::kText) {
        builder.SetText(to, column->Text(row));
      } else if (column->type == ValueType::kInteger) {
        builder.SetInteger(to, column->integers[row]);
      } else {
        builder.Set(to, column->Get(row));
      }
    }
    builder.EndRow();
    if (builder.bytes() >= kTargetBytes) status = finish();
    return status.ok() && more;
  });
  RETURN_IF_ERROR(status);
  if (more && !builder.empty()) RETURN_IF_ERROR(finish());
  return more;
}

}  // namespace chartly::aggregator
