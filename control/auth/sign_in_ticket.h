// What ties a browser to the sign-in at the issuer that it began: a text that it keeps as a cookie, and from which what
// the issuer is told (state, nonce, PKCE verifier) follows under a key of this process. Nothing has to be kept for a
// sign-in that is never finished, so that nobody can fill the memory by beginning many; of one that is finished its
// number is kept until it would have expired, so that it is finished once. A restart ends those under way.
//
// Thread-safe.
#ifndef CHARTLY_CONTROL_AUTH_SIGN_IN_TICKET_H_
#define CHARTLY_CONTROL_AUTH_SIGN_IN_TICKET_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/text/secret.h"

namespace chartly::auth {

struct SignInTicket {
  Secret text;              // what the browser keeps
  std::string number;       // random; tells one from all others
  std::string state;        // what the issuer gives back
  std::string nonce;        // what stands in the ID token
  Secret verifier;          // what the issuer has the SHA-256 of
  std::string return_path;  // where the page goes afterwards
  absl::Time expiry;
};

class SignInTickets {
 public:
  static constexpr absl::Duration kLife = absl::Minutes(10);
  static constexpr size_t kMaxUsed = 10000;

  // Internal if there are no random bytes.
  static absl::StatusOr<std::unique_ptr<SignInTickets>> Create();

  absl::StatusOr<SignInTicket> Make(absl::string_view return_path, absl::Time now) const;
  // The ticket with that text. PermissionDenied: SIGN_IN_NOT_BEGUN if this process has not made it, SIGN_IN_EXPIRED.
  absl::StatusOr<SignInTicket> Open(absl::string_view text, absl::Time now) const;
  // Uses it up. PermissionDenied (SIGN_IN_REPLAYED) if it was used before; ResourceExhausted (SIGN_INS_TOO_MANY) if
  // kMaxUsed were used within kLife.
  absl::Status Use(const SignInTicket& ticket, absl::Time now);

 private:
  explicit SignInTickets(std::string key) : key_(std::move(key)) {}
  // HMAC-SHA256 under the key of this process; different for each purpose.
  std::string Derive(absl::string_view purpose, absl::string_view text) const;
  SignInTicket Derived(absl::string_view number, absl::string_view return_path, absl::Time expiry) const;

  const Secret key_;
  absl::Mutex mu_;
  std::map<std::string, absl::Time> used_ ABSL_GUARDED_BY(mu_);  // number to expiry
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_SIGN_IN_TICKET_H_
