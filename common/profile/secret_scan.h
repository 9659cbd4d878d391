// Finds secrets that were written into a text by value: keys of known shape anywhere, comments included, and what looks
// random in a field that is named like a credential. Pure; thread-safe. No message shows any of the value.
#ifndef CHARTLY_COMMON_PROFILE_SECRET_SCAN_H_
#define CHARTLY_COMMON_PROFILE_SECRET_SCAN_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/profile/profile_parser.h"

namespace chartly {

// What kind of secret the text holds by its shape: "a key of AWS"; empty if none is known.
std::string SecretShape(absl::string_view text);

// Whether a value of a field of this name is likely a secret: the name says so, and the value is long and without
// pattern.
bool LooksLikeCredential(absl::string_view field, absl::string_view value);

// One fault (PROFILE_SECRET_REFUSED) for each, with the field's name and what to write instead. A text that holds any
// is refused with these faults alone: others might show the value.
std::vector<ProfileFault> FindSecrets(absl::string_view yaml);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_SECRET_SCAN_H_
