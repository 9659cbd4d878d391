#include "common/rpc/key_token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/rpc/caller.h"
#include "common/status/status.h"

namespace chartly::rpc {
namespace {

constexpr char kKeyPrefix[] = "chk_";
constexpr char kSessionPrefix[] = "chs_";
// {" in base64.
constexpr char kObjectPrefix[] = "eyJ";
constexpr size_t kSecretBytes = 32;
constexpr size_t kMaxIdBytes = 39;

absl::StatusOr<std::string> RandomSecret() {
  unsigned char random[kSecretBytes];
  if (RAND_bytes(random, sizeof(random)) != 1) return absl::InternalError("no random bytes for a key");
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(random), sizeof(random)));
}

}  // namespace

KeyDigest DigestOf(absl::string_view key) {
  KeyDigest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

bool SameDigest(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

absl::string_view AsText(const KeyDigest& digest) {
  return absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size());
}

absl::StatusOr<std::string> MakeKey(absl::string_view id) {
  ASSIGN_OR_RETURN(const std::string secret, RandomSecret());
  return id.empty() ? absl::StrCat(kKeyPrefix, secret) : absl::StrCat(kKeyPrefix, id, "_", secret);
}

absl::string_view KeyIdOf(absl::string_view key) {
  if (!absl::ConsumePrefix(&key, kKeyPrefix)) return "";
  const size_t end = key.find('_');
  if (end == key.npos || key.size() - end - 1 != 2 * kSecretBytes) return "";
  const absl::string_view id = key.substr(0, end);
  const size_t dot = id.find('.');
  if (dot == id.npos) return IsKeyId(id) ? id : "";
  return IsKeyId(id.substr(0, dot)) && IsKeyId(id.substr(dot + 1)) ? id : "";
}

std::string KeyIdIn(absl::string_view tenant, absl::string_view id) {
  return tenant == kDefaultTenant ? std::string(id) : absl::StrCat(tenant, ".", id);
}

bool IsKeyId(absl::string_view id) {
  auto plain = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  return !id.empty() && id.size() <= kMaxIdBytes && plain(id[0]) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '-'; });
}

absl::StatusOr<std::string> MakeSessionToken() {
  ASSIGN_OR_RETURN(const std::string secret, RandomSecret());
  return absl::StrCat(kSessionPrefix, secret);
}

bool IsSessionToken(absl::string_view text) {
  return absl::ConsumePrefix(&text, kSessionPrefix) && text.size() == 2 * kSecretBytes &&
         std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
}

bool IsSignedToken(absl::string_view text) {
  return absl::StartsWith(text, kObjectPrefix) && std::count(text.begin(), text.end(), '.') == 2;
}

}  // namespace chartly::rpc
