#include "control/gateway/request_builder.h"

#include <openssl/rand.h>
#include <simdjson.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "control/gateway/field_text.h"
#include "control/gateway/json_reader.h"
#include "control/gateway/nearest.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A signed token takes more than a key; the metadata of a call still has room for it.
constexpr size_t kMaxKeyBytes = 8 << 10;

absl::Status RequireUtf8(absl::string_view what, const std::string& text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "TEXT_NOT_UTF8", absl::StrCat(what, " is not valid UTF-8"),
               {{"field", what}});
}

std::string Header(const http::Request& request, const std::string& name) {
  auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

absl::Status UnknownParameter(const Descriptor& type, absl::string_view name, absl::string_view leaf) {
  std::string nearest = NearestName(leaf, FieldNames(type));
  return Error(absl::StatusCode::kInvalidArgument, "FIELD_UNKNOWN",
               absl::StrCat("unknown query parameter ", name,
                            nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?")),
               {{"field", name}, {"nearest", nearest}});
}

// "window.limit" goes down through messages; the last name is a scalar.
absl::Status SetParameter(Message& root, const std::string& name, const std::string& value) {
  Message* message = &root;
  std::vector<std::string> names = absl::StrSplit(name, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    const Descriptor& type = *message->GetDescriptor();
    const FieldDescriptor* field = type.FindFieldByName(names[i]);
    if (field == nullptr) field = type.FindFieldByCamelcaseName(names[i]);
    if (field == nullptr) return UnknownParameter(type, name, names[i]);
    if (i + 1 == names.size()) return SetFromText(*message, *field, value, name);
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return UnknownParameter(type, name, names[i]);
    }
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return absl::OkStatus();
}

absl::Status ReadHeaders(const http::Request& request, const Route& route, Message& message) {
  for (const auto& [field, header] : route.header_fields) {
    std::string value = Header(request, absl::AsciiStrToLower(header));
    if (value.empty()) continue;
    RETURN_IF_ERROR(RequireUtf8(header, value));
    message.GetReflection()->SetString(&message, message.GetDescriptor()->FindFieldByName(field), value);
  }
  return absl::OkStatus();
}

absl::Status ReadBody(const http::Request& request, const Route& route, Message& message) {
  if (!route.has_body) return absl::OkStatus();
  if (route.raw_body_field.empty()) {
    // An empty body is an empty object, so that `curl -X POST .../x:pause` works.
    if (absl::StripAsciiWhitespace(request.body).empty()) return absl::OkStatus();
    return ReadJson(request.body, message);
  }
  if (!route.raw_body_bytes) RETURN_IF_ERROR(RequireUtf8("body", request.body));
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(route.raw_body_field);
  message.GetReflection()->SetString(&message, field, request.body);
  return absl::OkStatus();
}

absl::Status ReadQuery(const http::Request& request, const RouteMatch& match, Message& message) {
  std::vector<std::string> seen;
  for (const auto& [name, value] : request.query) {
    RETURN_IF_ERROR(RequireUtf8("query", name));
    RETURN_IF_ERROR(RequireUtf8(name, value));
    if (match.fields.count(name) > 0 || name == match.route->raw_body_field) {
      return FieldError(name, "is given by the path or body, not as a query parameter");
    }
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
    bool repeated = field != nullptr && field->is_repeated();
    if (!repeated && std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return FieldError(name, "is given twice");
    }
    seen.push_back(name);
    RETURN_IF_ERROR(SetParameter(message, name, value));
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<Message> NewMessage(const Descriptor& type) {
  return std::unique_ptr<Message>(google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

absl::StatusOr<std::unique_ptr<Message>> BuildRequest(const http::Request& request, const RouteMatch& match) {
  std::unique_ptr<Message> message = NewMessage(*match.route->method->input_type());
  RETURN_IF_ERROR(ReadBody(request, *match.route, *message));
  RETURN_IF_ERROR(ReadQuery(request, match, *message));
  RETURN_IF_ERROR(ReadHeaders(request, *match.route, *message));
  for (const auto& [name, value] : match.fields) {
    RETURN_IF_ERROR(RequireUtf8(name, value));
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
    message->GetReflection()->SetString(message.get(), field, value);
  }
  return message;
}

absl::StatusOr<std::string> ApiKeyOf(const http::Request& request) {
  std::string key = Header(request, "x-api-key");
  if (key.empty()) {
    std::string authorization = Header(request, "authorization");
    if (authorization.empty()) return key;
    if (!absl::StartsWithIgnoreCase(authorization, "bearer ")) {
      return Error(absl::StatusCode::kUnauthenticated, "API_KEY_MALFORMED",
                   "send the API key as X-API-Key, or as Authorization: Bearer KEY");
    }
    key = std::string(absl::StripAsciiWhitespace(authorization.substr(7)));
  }
  bool plain = std::all_of(key.begin(), key.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
  if (!plain || key.size() > kMaxKeyBytes) {
    return Error(absl::StatusCode::kUnauthenticated, "API_KEY_MALFORMED",
                 "the API key must be printable ASCII without blanks");
  }
  return key;
}

std::string RequestIdOf(const http::Request& request) {
  std::string id = Header(request, "x-request-id");
  bool sane = !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  });
  if (sane) return id;
  std::string random(16, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(random.size()));
  return absl::BytesToHexString(random);
}

}  // namespace chartly::gateway
