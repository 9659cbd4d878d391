// Between a parsed profile and its message.
#ifndef CHARTLY_CONTROL_REGISTRY_PROFILE_MESSAGE_H_
#define CHARTLY_CONTROL_REGISTRY_PROFILE_MESSAGE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "chartly/v1/registry.pb.h"
#include "common/profile/profile.h"
#include "common/profile/profile_parser.h"

namespace chartly::registry {

// Everything that is in the text; times, generation and pause stay unset.
v1::Profile ProfileMessage(const chartly::Profile& profile, const std::string& content);
// Names of dims, measures and attrs, each once and in order.
v1::ProfileFields FieldsMessage(const chartly::Profile& profile);
v1::ValidateProfileResponse ValidationMessage(const ProfileParseResult& result);
// The fields in which two texts differ, in order of path. An empty text has no fields.
std::vector<v1::FieldChange> CompareTexts(const std::string& before, const std::string& after);

google::protobuf::Duration DurationMessage(absl::Duration duration);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PROFILE_MESSAGE_H_
