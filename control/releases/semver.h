// Semantic versions, as semver.org 2.0.0 writes them.
#ifndef CHARTLY_CONTROL_RELEASES_SEMVER_H_
#define CHARTLY_CONTROL_RELEASES_SEMVER_H_

#include "absl/strings/string_view.h"

namespace chartly::releases {

// Whether the text is a version: 1.2.3, 1.0.0-rc.1, 1.0.0+build.5. No leading "v", at most 128 bytes.
bool IsSemver(absl::string_view text);

// Less than 0, 0 or more than 0, as `a` comes before `b`, is as late, or comes after it. Build metadata do not count.
// Requires: both are versions.
int CompareSemver(absl::string_view a, absl::string_view b);

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_SEMVER_H_
