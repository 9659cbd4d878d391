#include "control/aggregator/record_page.h"

#include "common/batch/record_id.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/value/value.h"
#include "control/aggregator/page_token.h"

namespace chartly::aggregator {
namespace {

// A page stays well below the limit of one message.
constexpr size_t kMaxPageBytes = size_t{4} << 20;

void FillProvenance(const Batch& batch, const ChunkMeta& meta, uint32_t row, v1::Provenance& out) {
  const BatchHeader& header = batch.header();
  out.set_source_uri(header.source_uri());
  out.set_payload_sha256(header.payload_sha256());
  out.set_page(batch.SourcePage(row));
  out.set_row(batch.SourceRow(row));
  out.set_revision(header.revision());
  out.set_drone_id(header.drone_id());
  out.set_run_id(header.run_id());
  *out.mutable_observed_at() = ToTimestamp(absl::FromUnixMicros(header.observed_us()));
  *out.mutable_acked_at() = ToTimestamp(absl::FromUnixMicros(meta.acked_us()));
}

void FillFields(const Batch& batch, uint32_t row, v1::Record& record) {
  for (const BatchColumn& column : batch.columns()) {
    if (column.role() == Role::kSource || column.IsNull(row)) continue;
    auto& fields = column.role() == Role::kDim       ? *record.mutable_dims()
                   : column.role() == Role::kMeasure ? *record.mutable_measures()
                                                     : *record.mutable_attrs();
    ToProto(column.Get(row), fields[column.name()]);
  }
}

}  // namespace

absl::StatusOr<bool> RecordPage::AddChunk(uint64_t chunk, const ChunkMeta& meta, const std::string& bytes,
                                          const RowSet& rows, uint32_t first_row) {
  ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
  filter_.Bind(batch);
  RecordIds ids;  // made when the first row matches
  bool full = false;
  rows.ForEach(first_row, [&](uint32_t row) {
    if (row >= batch.rows()) return false;
    if (!filter_.Matches(row)) return true;
    if (ids.ids.empty()) ids = ComputeRecordIds(batch);
    v1::Record& record = *response_.add_records();
    record.set_id(ids.ids[row].ToHex());
    record.set_profile_id(batch.header().profile_id());
    FillFields(batch, row, record);
    FillProvenance(batch, meta, row, *record.mutable_provenance());
    bytes_ += record.ByteSizeLong();
    full = response_.records_size() >= limit_ || bytes_ >= kMaxPageBytes;
    if (full) response_.set_next_page_token(LocationToken(MakeLocation(chunk, row)));
    return !full;
  });
  return !full;
}

}  // namespace chartly::aggregator
