#include "control/aggregator/part_writer.h"

#include <utility>

#include "common/telemetry/metrics.h"

namespace chartly::aggregator {

PartWriter::PartWriter(RecordStore& store, PartMeta meta, uint64_t rows, bool with_ids) : store_(store) {
  part_.meta = std::move(meta);
  part_.meta.set_id(store.NewPartId());
  part_.meta.set_rows(0);
  part_.meta.clear_chunks();
  part_.meta.clear_deleted();
  part_.meta.set_deleted_rows(0);
  filter_ = std::make_shared<PartFilter>(rows);
  if (with_ids) ids_ = std::make_shared<IdFilters>();
}

absl::Status PartWriter::Add(MadeChunk chunk) {
  filter_->Add(chunk.keys);
  if (ids_ != nullptr) ids_->AddChunk(*std::move(chunk.id_filter));
  for (const DimRange& range : chunk.meta.ranges()) Widen(range, ranges_);
  const auto index = static_cast<uint32_t>(part_.meta.chunks_size());
  part_.meta.set_rows(part_.meta.rows() + chunk.meta.rows());
  *part_.meta.add_chunks() = std::move(chunk.meta);
  Count("chartly_store_sealed_bytes_total", static_cast<double>(chunk.bytes.size()));
  return store_.WriteSealedChunk(part_.meta.id(), index, std::move(chunk.bytes));
}

Part PartWriter::Finish() {
  part_.meta.clear_ranges();
  for (auto& [name, range] : ranges_) *part_.meta.add_ranges() = std::move(range);
  part_.filter = std::move(filter_);
  part_.ids = std::move(ids_);
  return std::move(part_);
}

}  // namespace chartly::aggregator
