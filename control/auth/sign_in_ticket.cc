#include "control/auth/sign_in_ticket.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/jwt/token_text.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"

namespace chartly::auth {
namespace {

constexpr char kPrefix[] = "cho_";
constexpr size_t kNumberBytes = 32;
constexpr size_t kTimeBytes = 8;
constexpr size_t kMacBytes = 32;
constexpr size_t kMaxTextBytes = 2048;

absl::StatusOr<std::string> RandomBytes() {
  std::string bytes(kNumberBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) == 1) return bytes;
  return absl::InternalError("no random bytes for a sign-in");
}

std::string TimeText(absl::Time time) {
  const auto seconds = static_cast<uint64_t>(absl::ToUnixSeconds(time));
  std::string text;
  for (int shift = 56; shift >= 0; shift -= 8) text.push_back(static_cast<char>(seconds >> shift));
  return text;
}

absl::Time TimeIn(absl::string_view text) {
  uint64_t seconds = 0;
  for (const char c : text) seconds = seconds << 8 | static_cast<unsigned char>(c);
  return absl::FromUnixSeconds(static_cast<int64_t>(seconds));
}

absl::Status NotBegun() {
  return Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_NOT_BEGUN",
               "this browser did not begin to sign in here, or cookies are off, or the control plane was restarted "
               "meanwhile; sign in again from the page, at the address that the issuer comes back to");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SignInTickets>> SignInTickets::Create() {
  ASSIGN_OR_RETURN(std::string key, RandomBytes());
  return std::unique_ptr<SignInTickets>(new SignInTickets(std::move(key)));
}

std::string SignInTickets::Derive(absl::string_view purpose, absl::string_view text) const {
  const std::string input = absl::StrCat(purpose, absl::string_view("\0", 1), text);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.Reveal().data(), static_cast<int>(key_.Reveal().size()),
       reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac, &size);
  return std::string(reinterpret_cast<const char*>(mac), size);
}

SignInTicket SignInTickets::Derived(absl::string_view number, absl::string_view return_path, absl::Time expiry) const {
  SignInTicket ticket;
  ticket.number = std::string(number);
  ticket.state = jwt::Base64UrlEncode(Derive("state", number));
  ticket.nonce = jwt::Base64UrlEncode(Derive("nonce", number));
  ticket.verifier = Secret(jwt::Base64UrlEncode(Derive("verifier", number)));
  ticket.return_path = std::string(return_path);
  ticket.expiry = expiry;
  return ticket;
}

absl::StatusOr<SignInTicket> SignInTickets::Make(absl::string_view return_path, absl::Time now) const {
  ASSIGN_OR_RETURN(const std::string number, RandomBytes());
  SignInTicket ticket = Derived(number, return_path, now + kLife);
  const std::string body = absl::StrCat(number, TimeText(ticket.expiry), return_path);
  ticket.text = Secret(absl::StrCat(kPrefix, jwt::Base64UrlEncode(absl::StrCat(body, Derive("ticket", body)))));
  return ticket;
}

absl::StatusOr<SignInTicket> SignInTickets::Open(absl::string_view text, absl::Time now) const {
  absl::string_view encoded = text;
  if (text.size() > kMaxTextBytes || !absl::ConsumePrefix(&encoded, kPrefix)) return NotBegun();
  const std::optional<std::string> bytes = jwt::Base64UrlDecode(encoded);
  if (!bytes || bytes->size() < kNumberBytes + kTimeBytes + kMacBytes) return NotBegun();
  const absl::string_view body = absl::string_view(*bytes).substr(0, bytes->size() - kMacBytes);
  const absl::string_view mac = absl::string_view(*bytes).substr(body.size());
  if (!rpc::SameDigest(mac, Derive("ticket", body))) return NotBegun();
  SignInTicket ticket = Derived(body.substr(0, kNumberBytes), body.substr(kNumberBytes + kTimeBytes),
                                TimeIn(body.substr(kNumberBytes, kTimeBytes)));
  ticket.text = Secret(std::string(text));
  if (now < ticket.expiry) return ticket;
  return Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_EXPIRED",
               absl::StrCat("the sign-in took longer than ", absl::ToInt64Minutes(kLife), " minutes; begin it again"));
}

absl::Status SignInTickets::Use(const SignInTicket& ticket, absl::Time now) {
  absl::MutexLock lock(&mu_);
  if (used_.count(ticket.number) > 0) {
    return Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_REPLAYED",
                 "this sign-in was finished before; sign in again if you are not signed in");
  }
  if (used_.size() >= kMaxUsed) {
    for (auto it = used_.begin(); it != used_.end();) it = it->second <= now ? used_.erase(it) : std::next(it);
  }
  if (used_.size() >= kMaxUsed) {
    return Error(absl::StatusCode::kResourceExhausted, "SIGN_INS_TOO_MANY",
                 "too many people sign in at the issuer at once; try again in some minutes, or use a key",
                 {{"retry_after_seconds", absl::StrCat(absl::ToInt64Seconds(kLife))}});
  }
  used_.emplace(ticket.number, ticket.expiry);
  return absl::OkStatus();
}

}  // namespace chartly::auth
