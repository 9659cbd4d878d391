// What is stored, as messages for callers. Pure.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_VIEW_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_VIEW_H_

#include "absl/strings/string_view.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/batch/record_id.h"
#include "control/aggregator/record_projection.h"
#include "control/aggregator/record_scan.h"

namespace chartly::aggregator {

// Where a row of the block came from.
void FillProvenance(const RecordBlock& block, uint32_t row, v1::Provenance& out);
// Says that the drone keeps the payload. Requires: drone and hash are set.
void SetRawRef(absl::string_view profile_id, v1::Provenance& origin);
// What the projection takes of a row, but for the id.
void FillRecord(const RecordBlock& block, uint32_t row, const RecordProjection& projection, v1::Record& out);
void FillQuarantineRow(absl::string_view id, const StoredQuarantine& stored, v1::QuarantineRow& out);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_VIEW_H_
