// How an OpenID Connect issuer describes itself (Discovery 1.0). Pure function, thread-safe.
#ifndef CHARTLY_COMMON_JWT_ISSUER_DESCRIPTION_H_
#define CHARTLY_COMMON_JWT_ISSUER_DESCRIPTION_H_

#include <string>

namespace chartly::jwt {

struct IssuerDescription {
  std::string issuer;
  std::string keys_address;  // jwks_uri
};

// What is absent, or is no text, is empty; all of it if `json` is no object.
IssuerDescription ReadIssuerDescription(const std::string& json);

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_ISSUER_DESCRIPTION_H_
