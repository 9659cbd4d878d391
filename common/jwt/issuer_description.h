// How an OpenID Connect issuer describes itself (Discovery 1.0). Pure function, thread-safe.
#ifndef CHARTLY_COMMON_JWT_ISSUER_DESCRIPTION_H_
#define CHARTLY_COMMON_JWT_ISSUER_DESCRIPTION_H_

#include <string>

namespace chartly::jwt {

struct IssuerDescription {
  std::string issuer;
  std::string keys_address;           // jwks_uri
  std::string authorization_address;  // authorization_endpoint
  std::string token_address;          // token_endpoint
  bool takes_basic = true;            // whether a client may show its secret at the token endpoint by HTTP Basic
};

// What is absent, or is no text, is empty; all of it if `json` is no object.
IssuerDescription ReadIssuerDescription(const std::string& json);

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_ISSUER_DESCRIPTION_H_
