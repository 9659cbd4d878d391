// Detached Ed25519 signatures of profile revisions, by keys that the control plane does not hold: made by
// `chartly profile sign`, checked by drones. docs/formats/signature.md has the exact bytes.
//
// Pure functions; thread-safe.
#ifndef CHARTLY_COMMON_SIGNING_PROFILE_SIGNATURE_H_
#define CHARTLY_COMMON_SIGNING_PROFILE_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/registry.pb.h"
#include "common/crypto/signing_key.h"

namespace chartly {

// What a signature is about.
struct ProfileStatement {
  std::string profile_id;
  std::string revision;                         // sha256:{64 hex digits} of the text
  int64_t counter = 0;                          // above 0; grows from one signature of the profile to the next
  absl::Time expires = absl::InfiniteFuture();  // whole seconds
  bool operator==(const ProfileStatement&) const = default;
};

// The signed bytes.
std::string StatementText(const ProfileStatement& statement);
v1::ProfileSignature SignProfile(const PrivateKey& key, const ProfileStatement& statement);

// OK if one of the signatures is by a trusted key over this profile and revision, and valid at `now`; `found` is that
// one, of several the one with the highest counter. PermissionDenied: PROFILE_UNSIGNED if there are none,
// PROFILE_KEY_UNTRUSTED if none is by a trusted key, PROFILE_SIGNATURE_INVALID if it signs something else,
// PROFILE_SIGNATURE_EXPIRED.
absl::Status VerifyProfile(const std::vector<PublicKey>& trusted, const std::string& profile_id,
                           const std::string& revision, const std::vector<v1::ProfileSignature>& signatures,
                           absl::Time now, v1::ProfileSignature& found);

// A file of signatures beside a profile: people.yaml and people.yaml.sig.
inline constexpr char kSignatureSuffix[] = ".sig";
struct SignedStatement {
  ProfileStatement statement;
  v1::ProfileSignature signature;
};
std::string SignatureFileText(const std::vector<SignedStatement>& all);
// InvalidArgument (SIGNATURE_FILE_INVALID) with file and line. Signatures are not verified.
absl::StatusOr<std::vector<SignedStatement>> ParseSignatureFile(absl::string_view filename, absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_SIGNING_PROFILE_SIGNATURE_H_
