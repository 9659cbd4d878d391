#include "control/gateway/openapi_schema.h"

#include "absl/strings/str_cat.h"
#include "control/gateway/field_text.h"
#include "google/protobuf/duration.pb.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string EnumSchema(const google::protobuf::EnumDescriptor& type) {
  std::string names;
  for (int i = 0; i < type.value_count(); ++i) {
    absl::StrAppend(&names, i == 0 ? "\"" : ",\"", EnumText(*type.value(i)), "\"");
  }
  return absl::StrCat(R"({"type":"string","enum":[)", names, "]}");
}

}  // namespace

std::string OpenApiSchemas::OfElement(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return R"({"type":"integer","format":"int32"})";
    case FieldDescriptor::CPPTYPE_INT64:
      return R"({"type":"integer","format":"int64"})";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return R"({"type":"integer","minimum":0})";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return R"({"type":"number"})";
    case FieldDescriptor::CPPTYPE_BOOL:
      return R"({"type":"boolean"})";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumSchema(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) return R"({"type":"string","contentEncoding":"base64"})";
      return R"({"type":"string"})";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const Descriptor& type = *field.message_type();
  if (&type == google::protobuf::Duration::descriptor()) return R"({"type":"string","pattern":"^-?[0-9.]+s$"})";
  if (IsTimeType(type)) return R"({"type":"string","format":"date-time"})";
  return Reference(type);
}

std::string OpenApiSchemas::OfField(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat(R"({"type":"object","additionalProperties":)", OfElement(*field.message_type()->map_value()),
                        "}");
  }
  if (field.is_repeated()) return absl::StrCat(R"({"type":"array","items":)", OfElement(field), "}");
  return OfElement(field);
}

std::string OpenApiSchemas::OfMessage(const Descriptor& type) {
  if (IsValueType(type)) return R"({"type":["string","number","boolean","null"]})";
  std::string properties;
  for (int i = 0; i < type.field_count(); ++i) {
    absl::StrAppend(&properties, i == 0 ? "\"" : ",\"", type.field(i)->name(), "\":", OfField(*type.field(i)));
  }
  return absl::StrCat(R"({"type":"object","properties":{)", properties, "}}");
}

std::string OpenApiSchemas::Reference(const Descriptor& type) {
  if (schemas_.emplace(type.name(), "").second) schemas_[type.name()] = OfMessage(type);
  return absl::StrCat(R"({"$ref":"#/components/schemas/)", type.name(), "\"}");
}

std::string OpenApiSchemas::Members() const {
  std::string out;
  for (const auto& [name, schema] : schemas_) {
    absl::StrAppend(&out, out.empty() ? "\"" : ",\"", name, "\":", schema);
  }
  return out;
}

}  // namespace chartly::gateway
