#include "common/jwt/issuer_description.h"

#include <simdjson.h>

#include "common/jwt/token_text.h"

namespace chartly::jwt {

IssuerDescription ReadIssuerDescription(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json).get(object) != simdjson::SUCCESS) return {};
  return {MemberText(object, "issuer").value_or(""), MemberText(object, "jwks_uri").value_or("")};
}

}  // namespace chartly::jwt
