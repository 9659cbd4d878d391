// What the owner of a host allows the drone on it (`chartly-drone --consent FILE`), whatever the control plane sends: a
// profile that wants more is refused, and nothing that comes over the network changes the file. Immutable; thread-safe.
#ifndef CHARTLY_COMMON_PROFILE_CONSENT_H_
#define CHARTLY_COMMON_PROFILE_CONSENT_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly {

// What is not given is not limited.
struct Consent {
  std::optional<std::vector<std::string>> hosts;   // names in lower case; "*.example.gov" is every name that ends so
  std::optional<std::vector<std::string>> paths;   // files and folders below --source-dir
  std::optional<std::vector<std::string>> egress;  // CIDRs: addresses outside of them are not connected
  int64_t max_bytes = std::numeric_limits<int64_t>::max();  // most that limits.max_bytes may say
  double rate = 0;                                          // most requests a second to one host; 0: any
  double cpu = 0;                                           // cores that runs take on average; 0: any
  int64_t memory_bytes = 0;                                 // of the whole process; 0: any
};

// InvalidArgument (CONSENT_INVALID) names all faults with file, line and column. Whether `egress` holds CIDRs is left
// to EgressPolicy.
absl::StatusOr<Consent> ParseConsent(absl::string_view filename, absl::string_view yaml);

// PermissionDenied (CONSENT_DENIED) says what of the profile goes beyond the consent, and what to do.
absl::Status CheckConsent(const Consent& consent, const Profile& profile);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_CONSENT_H_
