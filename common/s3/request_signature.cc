#include "common/s3/request_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/text/sha256.h"

namespace chartly::s3 {
namespace {

constexpr char kAlgorithm[] = "AWS4-HMAC-SHA256";

std::string Hmac(absl::string_view key, absl::string_view text) {
  std::string mac(32, '\0');
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  return mac;
}

}  // namespace

std::string Encode(absl::string_view text, bool is_path) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~' || (is_path && c == '/')) {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

std::string QueryOf(const Call& call) {
  std::map<std::string, std::string> encoded;
  for (const auto& [name, value] : call.query) encoded[Encode(name, false)] = Encode(value, false);
  std::string query;
  for (const auto& [name, value] : encoded) absl::StrAppend(&query, query.empty() ? "" : "&", name, "=", value);
  return query;
}

std::map<std::string, std::string> Sign(const Call& call, const Credentials& credentials, absl::string_view region,
                                        absl::Time now) {
  const std::string date = absl::FormatTime("%E4Y%m%d", now, absl::UTCTimeZone());
  std::map<std::string, std::string> sent = call.headers;
  sent["x-amz-date"] = absl::FormatTime("%E4Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  sent["x-amz-content-sha256"] = call.payload_sha256;
  if (!credentials.session_token.empty()) sent["x-amz-security-token"] = credentials.session_token.Reveal();

  std::map<std::string, std::string> covered = sent;
  covered["host"] = call.host;
  std::string lines;
  std::string names;
  for (const auto& [name, value] : covered) {
    absl::StrAppend(&lines, name, ":", value, "\n");
    absl::StrAppend(&names, names.empty() ? "" : ";", name);
  }
  const std::string canonical = absl::StrCat(call.method, "\n", call.path, "\n", QueryOf(call), "\n", lines, "\n",
                                             names, "\n", call.payload_sha256);
  const std::string scope = absl::StrCat(date, "/", region, "/s3/aws4_request");
  const std::string text = absl::StrCat(kAlgorithm, "\n", sent["x-amz-date"], "\n", scope, "\n", Sha256Hex(canonical));
  std::string key = Hmac("AWS4" + credentials.secret_key.Reveal(), date);
  for (const absl::string_view part : {region, absl::string_view("s3"), absl::string_view("aws4_request")}) {
    key = Hmac(key, part);
  }
  sent["Authorization"] =
      absl::StrCat(kAlgorithm, " Credential=", credentials.access_key, "/", scope, ",SignedHeaders=", names,
                   ",Signature=", absl::BytesToHexString(Hmac(key, text)));
  return sent;
}

}  // namespace chartly::s3
