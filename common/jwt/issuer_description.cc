#include "common/jwt/issuer_description.h"

#include <simdjson.h>

#include "common/jwt/token_text.h"

namespace chartly::jwt {
namespace {

// What an issuer that does not say takes is client_secret_basic.
bool TakesBasic(const simdjson::dom::object& object) {
  const std::optional<simdjson::dom::element> methods = Member(object, "token_endpoint_auth_methods_supported");
  simdjson::dom::array list;
  if (!methods || methods->get(list) != simdjson::SUCCESS) return true;
  std::string_view name;
  for (const simdjson::dom::element method : list) {
    if (method.get(name) == simdjson::SUCCESS && name == "client_secret_basic") return true;
  }
  return false;
}

}  // namespace

IssuerDescription ReadIssuerDescription(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json).get(object) != simdjson::SUCCESS) return {};
  return {MemberText(object, "issuer").value_or(""), MemberText(object, "jwks_uri").value_or(""),
          MemberText(object, "authorization_endpoint").value_or(""), MemberText(object, "token_endpoint").value_or(""),
          TakesBasic(object)};
}

}  // namespace chartly::jwt
