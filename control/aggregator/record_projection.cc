#include "control/aggregator/record_projection.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

constexpr Role kRoles[] = {Role::kDim, Role::kMeasure, Role::kAttr};

}  // namespace

absl::string_view RoleName(Role role) {
  return role == Role::kDim ? "dims" : role == Role::kMeasure ? "measures" : "attrs";
}

bool SplitFieldName(absl::string_view name, Role& role, std::string& rest) {
  for (Role candidate : kRoles) {
    absl::string_view tail = name;
    if (!absl::ConsumePrefix(&tail, RoleName(candidate)) || !absl::ConsumePrefix(&tail, ".")) continue;
    role = candidate;
    rest = std::string(tail);
    return !rest.empty();
  }
  return false;
}

absl::StatusOr<RecordProjection> RecordProjection::Parse(const std::vector<std::string>& fields) {
  RecordProjection projection;
  for (const std::string& names : fields) {
    for (absl::string_view name : absl::StrSplit(names, ',')) {
      RETURN_IF_ERROR(projection.Add(absl::StripAsciiWhitespace(name)));
    }
  }
  return projection;
}

absl::Status RecordProjection::Add(absl::string_view name) {
  if (name == "id" || name == "provenance") {
    bool& taken = name == "id" ? id_ : provenance_;
    if (!taken) entries_.push_back({name == "id" ? Entry::Kind::kId : Entry::Kind::kProvenance, Role::kDim, ""});
    taken = true;
    return absl::OkStatus();
  }
  for (Role role : kRoles) {
    if (name != RoleName(role)) continue;
    if (roles_.insert(role).second) entries_.push_back({Entry::Kind::kRole, role, ""});
    return absl::OkStatus();
  }
  Entry field;
  if (!SplitFieldName(name, field.role, field.name)) {
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_NAME_UNKNOWN",
                 absl::StrCat("fields: \"", name, "\" is no field of a record; write dims.", name, ", measures.", name,
                              " or attrs.", name, ", or one of dims, measures, attrs, provenance, id"),
                 {{"name", std::string(name)}});
  }
  if (fields_.emplace(field.role, field.name).second) entries_.push_back(std::move(field));
  return absl::OkStatus();
}

bool RecordProjection::Takes(Role role, const std::string& name) const {
  return everything() || roles_.count(role) > 0 || fields_.count({role, name}) > 0;
}

}  // namespace chartly::aggregator
