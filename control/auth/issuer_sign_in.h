// People who sign in at the page through the issuer of tokens: OpenID Connect, authorization code flow with PKCE
// (S256), state and nonce. Begin says where to send the browser; Finish takes what it brings back, once, and says who
// it is. What is asked of the issuer is bounded: kMaxUnderWay exchanges at a time.
//
// Thread-safe.
#ifndef CHARTLY_CONTROL_AUTH_ISSUER_SIGN_IN_H_
#define CHARTLY_CONTROL_AUTH_ISSUER_SIGN_IN_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/rpc/caller.h"
#include "common/text/secret.h"
#include "control/auth/code_exchange.h"
#include "control/auth/sign_in_ticket.h"
#include "control/auth/token_issuer.h"

namespace chartly::auth {

struct SignInConfig {
  std::string client_id;            // empty: nobody signs in at the issuer
  std::string secret_file;          // empty: a public client, with PKCE alone
  std::string public_url;           // https://HOST[:PORT] at which browsers reach the page
  std::vector<std::string> scopes;  // beside openid
};

class IssuerSignIn {
 public:
  static constexpr int kMaxUnderWay = 16;
  static constexpr size_t kMaxReturnPath = 512;
  static constexpr char kCallbackPath[] = "/api/session/oidc:callback";

  // What a browser that begins is told.
  struct Begun {
    std::string location;  // of the issuer
    Secret ticket;
  };
  // What a browser brings back.
  struct Brought {
    Secret ticket;
    std::string state;
    Secret code;
    std::string error;   // of the issuer, in place of a code
    std::string issuer;  // that says it sends the browser; may be empty
  };
  struct Person {
    rpc::Caller caller;    // may have no role
    std::string location;  // of this origin
  };

  // InvalidArgument (SIGN_IN_INVALID) if the address is neither https nor on loopback, or more than an origin;
  // those of ReadClientSecret. Issuer and clock must outlive it. Asks nobody yet. `authorities` as TokenConfig.
  static absl::StatusOr<std::unique_ptr<IssuerSignIn>> Create(const SignInConfig& config, TokenIssuer& issuer,
                                                              const std::string& authorities, Clock& clock);
  // The same with `exchange` in place of the network.
  static absl::StatusOr<std::unique_ptr<IssuerSignIn>> Create(const SignInConfig& config, TokenIssuer& issuer,
                                                              CodeExchange exchange, Clock& clock);
  ~IssuerSignIn() { cancel_ = true; }

  // The host of the issuer, for people.
  std::string IssuerHost() const;
  // `return_path` is where the page goes afterwards; "/" if empty. InvalidArgument (RETURN_PATH_INVALID) if it could
  // lead elsewhere; Unavailable (ISSUER_UNREACHABLE); FailedPrecondition (ISSUER_WRONG) if the issuer has no place for
  // people.
  absl::StatusOr<Begun> Begin(const std::string& return_path);
  // Who it is that comes back. PermissionDenied: SIGN_IN_NOT_BEGUN, SIGN_IN_EXPIRED, SIGN_IN_STATE_WRONG,
  // SIGN_IN_REPLAYED, SIGN_IN_REFUSED if the issuer says so; InvalidArgument: SIGN_IN_CODE_MISSING; Unavailable:
  // SIGN_IN_BUSY, ISSUER_UNREACHABLE; ResourceExhausted: SIGN_INS_TOO_MANY; FailedPrecondition: ISSUER_WRONG if another
  // issuer answers; those of CodeExchange and TokenIssuer::CheckSignedIn.
  absl::StatusOr<Person> Finish(const Brought& brought);

 private:
  IssuerSignIn(const SignInConfig& config, TokenIssuer& issuer, Clock& clock);
  // The ticket, used up, if what the browser brings belongs to it.
  absl::StatusOr<SignInTicket> Redeem(const Brought& brought);
  absl::Status Enter();
  void Leave();

  const SignInConfig config_;
  const std::string origin_;
  TokenIssuer& issuer_;
  Clock& clock_;
  std::unique_ptr<SignInTickets> tickets_;
  std::atomic<bool> cancel_{false};
  std::unique_ptr<net::HttpClient> http_;
  CodeExchange exchange_;
  absl::Mutex mu_;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_ISSUER_SIGN_IN_H_
