#include "control/gateway/openapi.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/parts.h"
#include "common/rpc/access.h"
#include "control/gateway/field_text.h"
#include "control/gateway/openapi_schema.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr char kErrorSchema[] =
    R"("Error":{"type":"object","required":["error"],"properties":{"error":{"type":"object",)"
    R"("required":["code","message","reason","request_id","details"],"properties":{"code":{"type":"string"},)"
    R"("message":{"type":"string"},"reason":{"type":"string"},"request_id":{"type":"string"},)"
    R"("details":{"type":"object","additionalProperties":{"type":"string"}}}}}})";
constexpr char kErrorResponse[] = R"("default":{"description":"An error","content":{"application/json":{"schema":)"
                                  R"({"$ref":"#/components/schemas/Error"}}}})";

std::string Parameter(absl::string_view name, absl::string_view in, bool required, absl::string_view schema) {
  return absl::StrCat(R"({"name":")", name, R"(","in":")", in, R"(","required":)", required ? "true" : "false",
                      R"(,"schema":)", schema, "}");
}

// Fields that a query can give: scalars, times, lists of scalars, and those of single messages by dotted name.
void AddQueryParameters(const Descriptor& type, const std::string& prefix, const std::set<std::string>& taken,
                        OpenApiSchemas& schemas, std::vector<std::string>& out) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    std::string name = prefix + field.name();
    if (taken.count(name) > 0 || field.is_map()) continue;
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || IsTimeType(*field.message_type())) {
      out.push_back(Parameter(name, "query", false, schemas.OfField(field)));
    } else if (!field.is_repeated() && !IsValueType(*field.message_type())) {
      AddQueryParameters(*field.message_type(), name + ".", taken, schemas, out);
    }
  }
}

std::string Parameters(const Route& route, OpenApiSchemas& schemas) {
  std::vector<std::pair<std::string, std::string>> path_parameters;
  route.path.OpenApiPath(&path_parameters);
  std::vector<std::string> out;
  std::set<std::string> taken = {route.raw_body_field};
  for (const auto& [name, field] : path_parameters) {
    out.push_back(Parameter(name, "path", true, R"({"type":"string"})"));
    taken.insert(field);
  }
  if (!route.has_body || !route.raw_body_field.empty()) {
    AddQueryParameters(*route.method->input_type(), "", taken, schemas, out);
  }
  for (const auto& [field, header] : route.header_fields) {
    // OpenAPI gives this header by the body's content.
    if (header != "Content-Type") out.push_back(Parameter(header, "header", false, R"({"type":"string"})"));
  }
  return absl::StrJoin(out, ",");
}

std::string RequestBody(const Route& route, OpenApiSchemas& schemas) {
  if (!route.has_body) return "";
  if (route.raw_body_bytes) {
    return R"(,"requestBody":{"required":true,"content":{"*/*":{"schema":{"type":"string","format":"binary"}}}})";
  }
  if (!route.raw_body_field.empty()) {
    return R"(,"requestBody":{"required":true,"content":{"application/yaml":{"schema":{"type":"string"}}}})";
  }
  return absl::StrCat(R"(,"requestBody":{"content":{"application/json":{"schema":)",
                      schemas.Reference(*route.method->input_type()), "}}}");
}

// What a good answer holds.
std::string AnswerContent(const Route& route, OpenApiSchemas& schemas) {
  if (route.raw_answer != nullptr) return R"("*/*":{"schema":{"type":"string","format":"binary"}})";
  return absl::StrCat("\"", route.method->server_streaming() ? "text/event-stream" : "application/json",
                      R"(":{"schema":)", schemas.Reference(*route.method->output_type()), "}");
}

std::string Operation(const Route& route, int number, OpenApiSchemas& schemas) {
  const google::protobuf::MethodDescriptor& method = *route.method;
  const v1::Access access = rpc::AccessOf(method);
  std::string id = absl::StrCat(method.service()->name(), "_", method.name());
  if (number > 1) absl::StrAppend(&id, "_", number);
  return absl::StrCat(
      "\"", absl::AsciiStrToLower(route.http_method), R"(":{"operationId":")", id, R"(","tags":[")",
      method.service()->name(), R"("],"parameters":[)", Parameters(route, schemas), "]", RequestBody(route, schemas),
      R"(,"responses":{"200":{"description":"OK","content":{)", AnswerContent(route, schemas), "}},", kErrorResponse,
      "}", rpc::NeedsNoCredential(access) ? "" : R"(,"security":[{"ApiKey":[]},{"Bearer":[]}])", R"(,"x-access":")",
      rpc::AccessName(access), R"(","x-binding":")", rpc::BindingName(rpc::BindingOf(method)), "\"}");
}

}  // namespace

std::string OpenApiDocument(const RouteTable& routes) {
  OpenApiSchemas schemas;
  std::map<std::string, std::vector<std::string>> paths;
  std::map<const google::protobuf::MethodDescriptor*, int> seen;
  for (const Route& route : routes.routes()) {
    paths[route.path.OpenApiPath(nullptr)].push_back(Operation(route, ++seen[route.method], schemas));
  }
  std::string members;
  for (const auto& [path, operations] : paths) {
    absl::StrAppend(&members, members.empty() ? "\"" : ",\"", path, "\":{", absl::StrJoin(operations, ","), "}");
  }
  return absl::StrCat(
      R"({"openapi":"3.1.0","info":{"title":"Chartly","version":")", kVersion, R"("},"paths":{)", members,
      R"(},"components":{"securitySchemes":{"ApiKey":{"type":"apiKey","in":"header","name":"X-API-Key"},)",
      R"("Bearer":{"type":"http","scheme":"bearer"}},"schemas":{)", kErrorSchema, ",", schemas.Members(), "}}}\n");
}

}  // namespace chartly::gateway
