// Shows a source who asks, as source.auth of the profile says. Secrets are read when a request is made and go into that
// request alone. Not thread-safe; one a run.
#ifndef CHARTLY_DRONE_FETCH_CREDENTIALS_H_
#define CHARTLY_DRONE_FETCH_CREDENTIALS_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/profile/profile.h"
#include "common/secrets/secrets.h"
#include "drone/fetch/token_cache.h"

namespace chartly::drone {

class Credentials {
 public:
  // Everything must outlive this; `secrets` may be null, then every secret is missing.
  Credentials(const SourceConfig& source, const Secrets* secrets, net::HttpClient& http, TokenCache& tokens,
              Clock& clock);

  // Adds what the source wants to see, if the request goes to the origin of source.url; to another it goes without.
  // SECRET_NOT_FOUND, SECRET_EXPOSED; SOURCE_AUTH, or a code of HttpClient, if there is no token to be had.
  absl::Status Apply(net::HttpRequest& request);
  // Whether Apply asked the origin of source.url itself for a token, since this was called last.
  bool TakeAsked();
  // The source did not take what Apply added: forgets the token. True if another one may help, once a run.
  bool Renew();
  // The text without any secret that was read so far, however a url or header writes it.
  std::string Redact(absl::string_view text) const;

 private:
  absl::StatusOr<std::string> Secret(const SecretRef& ref);
  absl::Status ApplyBasic(net::HttpRequest& request);
  absl::Status ApplyToken(net::HttpRequest& request);
  absl::Status ApplyCertificate(net::HttpRequest& request);
  absl::StatusOr<std::string> FetchToken(const net::HttpRequest& request);
  void Hide(const std::string& secret);

  const AuthConfig config_;
  const std::string origin_;
  const Secrets* secrets_;
  net::HttpClient& http_;
  TokenCache& tokens_;
  Clock& clock_;
  std::set<std::string> hidden_;
  std::string token_key_;
  bool renewed_ = false;
  bool asked_ = false;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_CREDENTIALS_H_
