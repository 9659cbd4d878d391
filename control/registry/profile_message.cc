#include "control/registry/profile_message.h"

#include <map>
#include <set>

#include "control/registry/profile_name.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::registry {
namespace {

google::protobuf::RepeatedPtrField<std::string>& NamesOf(v1::ProfileFields& fields, FieldRole role) {
  switch (role) {
    case FieldRole::kDim:
      return *fields.mutable_dims();
    case FieldRole::kMeasure:
      return *fields.mutable_measures();
    case FieldRole::kAttr:
      break;
  }
  return *fields.mutable_attrs();
}

}  // namespace

google::protobuf::Duration DurationMessage(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(duration));
}

v1::Profile ProfileMessage(const chartly::Profile& profile, const std::string& content) {
  v1::Profile message;
  message.set_name(ProfileNameOf(profile.id));
  message.set_id(profile.id);
  message.set_display_name(profile.name);
  message.set_version(profile.version);
  message.set_revision(profile.revision);
  message.set_description(profile.description);
  message.mutable_labels()->insert(profile.labels.begin(), profile.labels.end());
  message.set_enabled(profile.schedule.enabled);
  *message.mutable_interval() = DurationMessage(profile.schedule.interval);
  *message.mutable_jitter() = DurationMessage(profile.schedule.jitter);
  message.set_content(content);
  return message;
}

v1::ProfileFields FieldsMessage(const chartly::Profile& profile) {
  std::map<FieldRole, std::set<std::string>> names;
  for (const MappingEntry& entry : profile.mapping) names[entry.role].insert(entry.to);
  v1::ProfileFields fields;
  for (const auto& [role, of_role] : names) NamesOf(fields, role).Assign(of_role.begin(), of_role.end());
  const std::set<std::string>& dims = names[FieldRole::kDim];
  if (profile.key.empty()) {
    fields.mutable_key()->Assign(dims.begin(), dims.end());
  } else {
    fields.mutable_key()->Assign(profile.key.begin(), profile.key.end());
  }
  return fields;
}

v1::ValidateProfileResponse ValidationMessage(const ProfileParseResult& result) {
  v1::ValidateProfileResponse response;
  response.set_valid(result.ok());
  for (const chartly::ProfileFault& fault : result.faults) {
    v1::ProfileFault& out = *response.add_faults();
    out.set_line(fault.line);
    out.set_column(fault.column);
    out.set_path(fault.path);
    out.set_reason(fault.reason);
    out.set_message(fault.message);
  }
  if (result.ok()) response.set_revision(result.profile.revision);
  return response;
}

std::vector<v1::FieldChange> CompareTexts(const std::string& before, const std::string& after) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  if (!before.empty()) {
    for (auto& [path, text] : FlattenProfile(before)) values[path].first = text;
  }
  if (!after.empty()) {
    for (auto& [path, text] : FlattenProfile(after)) values[path].second = text;
  }
  std::vector<v1::FieldChange> changes;
  for (const auto& [path, sides] : values) {
    if (sides.first == sides.second) continue;
    v1::FieldChange& change = changes.emplace_back();
    change.set_path(path);
    change.set_before(sides.first);
    change.set_after(sides.second);
  }
  return changes;
}

}  // namespace chartly::registry
