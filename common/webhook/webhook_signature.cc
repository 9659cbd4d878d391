#include "common/webhook/webhook_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kDigestBytes = 32;
constexpr size_t kMaxIdBytes = 128;
// Two keys while they are rotated, at two versions of a scheme, and room.
constexpr size_t kMaxSignatures = 8;

absl::Status Refused(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kUnauthenticated, reason, message);
}

std::string DigestOf(absl::string_view key, absl::string_view id, absl::string_view timestamp, absl::string_view body) {
  std::string content = absl::StrCat(id, ".", timestamp, ".", body);
  std::string digest(kDigestBytes, '\0');
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(content.data()), content.size(),
         reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  return digest;
}

absl::Status CheckHeaders(const WebhookHeaders& headers) {
  const std::pair<const char*, absl::string_view> needed[] = {
      {"webhook-id", headers.id}, {"webhook-timestamp", headers.timestamp}, {"webhook-signature", headers.signature}};
  for (const auto& [name, value] : needed) {
    if (value.empty()) return Refused("WEBHOOK_HEADER_MISSING", absl::StrCat("the header ", name, " is missing"));
  }
  bool plain = std::all_of(headers.id.begin(), headers.id.end(),
                           [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '.'; });
  if (plain && headers.id.size() <= kMaxIdBytes) return absl::OkStatus();
  return Refused("WEBHOOK_ID_INVALID", absl::StrCat("webhook-id must be 1 to ", kMaxIdBytes,
                                                    " printable characters without blanks and dots"));
}

absl::Status CheckTime(absl::string_view text, absl::Time now, absl::Duration tolerance) {
  int64_t seconds = 0;
  bool digits = std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || text.size() > 12 || !absl::SimpleAtoi(text, &seconds)) {
    return Refused("WEBHOOK_TIMESTAMP_INVALID", "webhook-timestamp must be the seconds since 1970, in digits");
  }
  if (absl::AbsDuration(now - absl::FromUnixSeconds(seconds)) <= tolerance) return absl::OkStatus();
  return Refused("WEBHOOK_TIMESTAMP_INVALID",
                 absl::StrCat("webhook-timestamp is further from the time here than ", absl::FormatDuration(tolerance),
                              "; sign each attempt anew, and compare the clocks"));
}

std::vector<std::string> SignaturesOf(absl::string_view header) {
  std::vector<std::string> signatures;
  for (absl::string_view part : absl::StrSplit(header, ' ', absl::SkipEmpty())) {
    std::string signature;
    if (!absl::ConsumePrefix(&part, "v1,") || !absl::Base64Unescape(part, &signature)) continue;
    if (signature.size() == kDigestBytes && signatures.size() < kMaxSignatures) signatures.push_back(signature);
  }
  return signatures;
}

}  // namespace

absl::StatusOr<std::string> WebhookKeyOf(absl::string_view secret) {
  std::string key(secret);
  if (absl::ConsumePrefix(&secret, "whsec_") && !absl::Base64Unescape(secret, &key)) {
    return Error(absl::StatusCode::kInvalidArgument, "WEBHOOK_KEY_INVALID", "what follows whsec_ is not base64");
  }
  if (key.size() >= kMinWebhookKeyBytes) return key;
  return Error(absl::StatusCode::kInvalidArgument, "WEBHOOK_KEY_INVALID",
               absl::StrCat("a key has at least ", kMinWebhookKeyBytes,
                            " bytes; make one with: echo whsec_$(openssl rand -base64 32)"));
}

std::string SignWebhook(absl::string_view key, absl::string_view id, int64_t timestamp, absl::string_view body) {
  return absl::StrCat("v1,", absl::Base64Escape(DigestOf(key, id, absl::StrCat(timestamp), body)));
}

absl::Status VerifyWebhook(const WebhookHeaders& headers, absl::string_view body, const std::vector<std::string>& keys,
                           absl::Time now, absl::Duration tolerance) {
  RETURN_IF_ERROR(CheckHeaders(headers));
  RETURN_IF_ERROR(CheckTime(headers.timestamp, now, tolerance));
  std::vector<std::string> signatures = SignaturesOf(headers.signature);
  bool fits = false;
  for (const std::string& key : keys) {
    std::string digest = DigestOf(key, headers.id, headers.timestamp, body);
    for (const std::string& signature : signatures) {
      // Every pair is compared, whatever the ones before it gave.
      fits |= ::CRYPTO_memcmp(digest.data(), signature.data(), kDigestBytes) == 0;
    }
  }
  if (fits) return absl::OkStatus();
  return Refused("WEBHOOK_SIGNATURE_INVALID",
                 "no v1 signature of webhook-signature fits the webhook-id, the webhook-timestamp and the body");
}

}  // namespace chartly
