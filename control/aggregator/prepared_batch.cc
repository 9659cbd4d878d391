#include "control/aggregator/prepared_batch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kMaxNameBytes = 256;

absl::Status CheckHeader(const BatchHeader& header, absl::string_view tenant) {
  if (!header.tenant().empty() && header.tenant() != tenant) {
    return Error(absl::StatusCode::kPermissionDenied, "TENANT_UNKNOWN",
                 absl::StrCat("the batch belongs to tenant ", header.tenant(), "; whoever sends it, to ", tenant));
  }
  RETURN_IF_ERROR(CheckName("profile_id of the batch", header.profile_id()));
  RETURN_IF_ERROR(CheckName("run_id of the batch", header.run_id()));
  if (!header.drone_id().empty()) RETURN_IF_ERROR(CheckName("drone_id of the batch", header.drone_id()));
  if (header.filtered() < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "BATCH_INVALID", "the batch counts fewer than 0 filtered rows");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  bool printable = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (!name.empty() && name.size() <= kMaxNameBytes && printable) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
               absl::StrCat("the ", what, " must have 1 to ", kMaxNameBytes, " bytes and no control characters"));
}

absl::StatusOr<PreparedBatch> PrepareBatch(std::string bytes, absl::string_view tenant) {
  PreparedBatch prepared;
  {
    ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
    RETURN_IF_ERROR(CheckHeader(batch.header(), tenant));
    prepared.ids = ComputeRecordIds(batch);
    prepared.ranges = KeyRangesOf(batch);
    prepared.header = batch.header();
    prepared.header.clear_columns();
  }
  prepared.bytes = std::move(bytes);
  return prepared;
}

}  // namespace chartly::aggregator
