// The code that a browser brings from the issuer, exchanged there for the token that tells who signed in (OpenID
// Connect Core 1.0, authorization code flow). Nothing that is secret stands in an error.
#ifndef CHARTLY_CONTROL_AUTH_CODE_EXCHANGE_H_
#define CHARTLY_CONTROL_AUTH_CODE_EXCHANGE_H_

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/jwt/issuer_description.h"
#include "common/net/http_client.h"
#include "common/text/secret.h"

namespace chartly::auth {

struct CodeGrant {
  Secret code;
  Secret verifier;
  std::string redirect_url;  // as the issuer was told at the beginning
};

// Gives the ID token, unchecked. Unauthenticated (SIGN_IN_CODE_REFUSED) if the issuer does not take the code;
// FailedPrecondition: ISSUER_CLIENT_REFUSED if it does not take this client, ISSUER_WRONG if it names no place to
// exchange codes; Unavailable (ISSUER_UNREACHABLE); Internal (ISSUER_ANSWER_INVALID) if it gives no ID token; those of
// ReadClientSecret. Blocks for at most kExchangeTime.
using CodeExchange = std::function<absl::StatusOr<std::string>(const jwt::IssuerDescription&, const CodeGrant&)>;
inline constexpr absl::Duration kExchangeTime = absl::Seconds(5);

// Over the network. The secret of the client is read anew each time; without a file there is none, and PKCE alone
// protects the code. `http` and `cancel` must outlive the function.
CodeExchange ExchangeOver(net::HttpClient& http, const std::atomic<bool>& cancel, std::string client_id,
                          std::string secret_file);

// The text of the file without its last line end. FailedPrecondition (CLIENT_SECRET_INVALID) if it cannot be read, is
// empty, too long, or may be read by every user of the host.
absl::StatusOr<Secret> ReadClientSecret(const std::string& path);

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_CODE_EXCHANGE_H_
