#include "control/aggregator/record_view.h"

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/value/value.h"
#include "control/aggregator/page_token.h"

namespace chartly::aggregator {

void FillProvenance(const RecordBlock& block, uint32_t row, v1::Provenance& out) {
  const ChunkMeta& meta = block.Meta(row);
  out.set_source_uri(meta.origin().source_uri());
  out.set_payload_sha256(meta.origin().payload_sha256());
  out.set_page(block.SourcePage(row));
  out.set_row(block.SourceRow(row));
  out.set_revision(meta.origin().revision());
  out.set_drone_id(meta.drone_id());
  out.set_run_id(meta.run_id());
  *out.mutable_observed_at() = ToTimestamp(absl::FromUnixMicros(meta.observed_us()));
  *out.mutable_acked_at() = ToTimestamp(absl::FromUnixMicros(meta.acked_us()));
  if (meta.origin().captured()) {
    SetRawRef(meta.profile_id(), out);
  } else {
    out.clear_raw_ref();
  }
}

void SetRawRef(absl::string_view profile_id, v1::Provenance& origin) {
  origin.set_raw_ref(
      absl::StrCat("drones/", origin.drone_id(), "/captures/", profile_id, "/", origin.payload_sha256()));
}

void FillRecord(const RecordBlock& block, uint32_t row, const RecordProjection& projection, v1::Record& out) {
  out.set_profile_id(block.source().profile_id);
  for (const ColumnData& column : block.columns()) {
    if (!IsField(column.role) || column.IsNull(row)) continue;
    if (!projection.Takes(column.role, column.name)) continue;
    auto& fields = column.role == Role::kDim       ? *out.mutable_dims()
                   : column.role == Role::kMeasure ? *out.mutable_measures()
                                                   : *out.mutable_attrs();
    ToProto(column.Get(row), fields[column.name]);
  }
  if (projection.takes_provenance()) FillProvenance(block, row, *out.mutable_provenance());
}

void FillQuarantineRow(absl::string_view id, const StoredQuarantine& stored, v1::QuarantineRow& out) {
  out.set_id(ToHex(id));
  out.set_profile_id(stored.profile_id());
  out.set_run_id(stored.run_id());
  out.set_reason_code(stored.row().reason_code());
  out.set_field(stored.row().field());
  out.set_message(stored.row().message());
  out.set_raw(stored.row().raw());
  out.set_page(stored.row().page());
  out.set_row(stored.row().row());
  *out.mutable_observed_at() = ToTimestamp(absl::FromUnixMicros(stored.observed_us()));
  out.set_redriven_run_id(stored.redriven_run_id());
}

}  // namespace chartly::aggregator
