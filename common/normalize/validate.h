// Everything that can be wrong with a profile's text: what the parser finds, and faults of the filter, the functions
// and the types. Whoever takes a profile from outside (registry, command line, drone) uses this. Pure, thread-safe.
#ifndef CHARTLY_COMMON_NORMALIZE_VALIDATE_H_
#define CHARTLY_COMMON_NORMALIZE_VALIDATE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile_parser.h"

namespace chartly {

// The profile and all faults in order of line. A profile without faults can be given to Normalizer::Create.
ProfileParseResult ValidateProfile(absl::string_view yaml);

// OK, or InvalidArgument (PROFILE_INVALID) with FormatFaults as message.
absl::StatusOr<Profile> ValidateProfileOrError(absl::string_view filename, absl::string_view yaml);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_VALIDATE_H_
