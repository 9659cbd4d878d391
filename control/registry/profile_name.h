// Resource names of profiles: profiles/{id}, and profiles/{id}@{reference} where the reference is a content hash
// (sha256:...) or a version.
#ifndef CHARTLY_CONTROL_REGISTRY_PROFILE_NAME_H_
#define CHARTLY_CONTROL_REGISTRY_PROFILE_NAME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::registry {

struct ProfileName {
  std::string id;
  std::string reference;  // empty for the current revision
};

// InvalidArgument (NAME_INVALID) for anything else; `field` names the request field in the message.
absl::StatusOr<ProfileName> ParseProfileName(absl::string_view field, absl::string_view name);
// As above, without a reference; returns the id.
absl::StatusOr<std::string> ParsePlainProfileName(absl::string_view field, absl::string_view name);
// profiles/{id}
std::string ProfileNameOf(absl::string_view id);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PROFILE_NAME_H_
