#include "common/jwt/token_answer.h"

#include <simdjson.h>

#include <algorithm>

#include "common/jwt/token_text.h"

namespace chartly::jwt {

bool IsPlainErrorCode(const std::string& text) {
  constexpr size_t kMaxBytes = 40;
  return !text.empty() && text.size() <= kMaxBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

TokenAnswer ReadTokenAnswer(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json).get(object) != simdjson::SUCCESS) return {};
  TokenAnswer answer;
  answer.id_token = MemberText(object, "id_token").value_or("");
  answer.error = MemberText(object, "error").value_or("");
  if (!IsPlainErrorCode(answer.error)) answer.error.clear();
  return answer;
}

}  // namespace chartly::jwt
