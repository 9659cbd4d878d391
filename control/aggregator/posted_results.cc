#include "control/aggregator/posted_results.h"

#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"
#include "common/value/value.h"
#include "control/aggregator/prepared_batch.h"
#include "control/aggregator/record_projection.h"

namespace chartly::aggregator {
namespace {

// Unpacked, so that a packed batch always fits its bound.
constexpr size_t kTargetBatchBytes = size_t{3} << 20;

using Fields = std::map<std::pair<Role, std::string>, Value>;

absl::Status Invalid(int record, absl::string_view name, absl::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "RESULTS_INVALID",
               absl::StrCat("data[", record, "]", name.empty() ? "" : ".", name, ": ", what, "; nothing was stored"));
}

absl::Status CheckValue(int record, absl::string_view name, Role role, const Value& value) {
  if (value.type() == ValueType::kFloat && !std::isfinite(value.float_value())) {
    return Invalid(record, name, "NaN and infinity cannot be stored");
  }
  if (role == Role::kMeasure && !value.is_null() && !value.is_number()) {
    return Invalid(record, name, "a measure must be a number or null");
  }
  return absl::OkStatus();
}

absl::Status AddFields(int record, Role role, const google::protobuf::Map<std::string, v1::Value>& values,
                       Fields& fields) {
  for (const auto& [name, message] : values) {
    Role field_role = role;
    std::string field_name = name;
    if (!SplitFieldName(name, field_role, field_name)) field_name = name;
    RETURN_IF_ERROR(Annotate(CheckName("name of a field", field_name), absl::StrCat("data[", record, "]")));
    absl::StatusOr<Value> value = FromProto(message);
    if (!value.ok()) return Invalid(record, name, value.status().message());
    RETURN_IF_ERROR(CheckValue(record, name, field_role, *value));
    bool added = fields.try_emplace({field_role, field_name}, *std::move(value)).second;
    if (!added) return Invalid(record, name, "the field is there twice, with and without its prefix");
  }
  return absl::OkStatus();
}

absl::StatusOr<Fields> ReadRecord(int record, const v1::ResultRecord& message) {
  Fields fields;
  RETURN_IF_ERROR(AddFields(record, Role::kDim, message.dims(), fields));
  RETURN_IF_ERROR(AddFields(record, Role::kMeasure, message.measures(), fields));
  RETURN_IF_ERROR(AddFields(record, Role::kAttr, message.attrs(), fields));
  for (const auto& [name, value] : fields) {
    if (name.first != Role::kAttr && !value.is_null()) return fields;
  }
  return Invalid(record, "", "the record has no dim and no measure");
}

absl::Status CheckRequest(const v1::CreateResultsRequest& request) {
  RETURN_IF_ERROR(CheckName("profile_id", request.profile_id()));
  if (!request.drone_id().empty()) RETURN_IF_ERROR(CheckName("drone_id", request.drone_id()));
  if (request.data_size() == 0 || request.data_size() > kMaxPostedRecords) {
    return Error(absl::StatusCode::kInvalidArgument, "RESULTS_INVALID",
                 absl::StrCat("data must hold 1 to ", kMaxPostedRecords, " records; it holds ", request.data_size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> BuildPostedBatches(const v1::CreateResultsRequest& request,
                                                            const std::string& run_id, int64_t observed_us,
                                                            const std::string& tenant) {
  RETURN_IF_ERROR(CheckRequest(request));
  BatchHeader origin;
  origin.set_tenant(tenant);
  origin.set_profile_id(request.profile_id());
  origin.set_run_id(run_id);
  origin.set_drone_id(request.drone_id());
  origin.set_source_uri("post:/api/results");
  origin.set_observed_us(observed_us);
  BatchBuilder builder;
  builder.SetOrigin(origin);
  std::vector<std::string> batches;
  auto finish = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(std::string batch, builder.Finish());
    batches.push_back(std::move(batch));
    return absl::OkStatus();
  };
  for (int i = 0; i < request.data_size(); ++i) {
    ASSIGN_OR_RETURN(Fields fields, ReadRecord(i, request.data(i)));
    builder.BeginRow(1, static_cast<uint32_t>(i) + 1);
    for (const auto& [name, value] : fields) {
      if (!value.is_null()) builder.Set(builder.AddColumn(name.first, name.second), value);
    }
    builder.EndRow();
    if (builder.rows() == kMaxBatchRows || builder.bytes() >= kTargetBatchBytes) RETURN_IF_ERROR(finish());
  }
  if (!builder.empty()) RETURN_IF_ERROR(finish());
  return batches;
}

}  // namespace chartly::aggregator
