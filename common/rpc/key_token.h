// The text of an API key: chk_ID_SECRET, with an id that people chose and 256 random bits in hex. The id of a key of
// another tenant than the default one begins with that: chk_TENANT.ID_SECRET. The beginning lets
// scanners of repositories and logs find keys that leaked. The admin key is chk_SECRET.
#ifndef CHARTLY_COMMON_RPC_KEY_TOKEN_H_
#define CHARTLY_COMMON_RPC_KEY_TOKEN_H_

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::rpc {

using KeyDigest = std::array<unsigned char, 32>;

// The SHA-256 of a key: the only form in which keys are kept. A key has 256 random bits, so that a slow hash would
// protect nothing more.
KeyDigest DigestOf(absl::string_view key);
// In constant time.
bool SameDigest(absl::string_view a, absl::string_view b);
absl::string_view AsText(const KeyDigest& digest);

// A new key; the admin key for an empty id. Internal if there are no random bytes.
absl::StatusOr<std::string> MakeKey(absl::string_view id);
// The id that a key carries; empty if it carries none.
absl::string_view KeyIdOf(absl::string_view key);
// ^[a-z0-9][a-z0-9-]{0,38}$
bool IsKeyId(absl::string_view id);
// The id with its tenant: TENANT.ID; ID in the default tenant.
std::string KeyIdIn(absl::string_view tenant, absl::string_view id);

// The text of a session: chs_SECRET, with 256 random bits in hex. Internal if there are no random bytes.
absl::StatusOr<std::string> MakeSessionToken();
bool IsSessionToken(absl::string_view text);
// Whether the text has the form of a signed token (JWT): three parts between dots, of which the first is an object.
bool IsSignedToken(absl::string_view text);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_KEY_TOKEN_H_
