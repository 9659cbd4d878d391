// JSON Schemas of messages as json_reader takes and json_writer gives them. Pure, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_OPENAPI_SCHEMA_H_
#define CHARTLY_CONTROL_GATEWAY_OPENAPI_SCHEMA_H_

#include <map>
#include <string>

#include "google/protobuf/descriptor.h"

namespace chartly::gateway {

// A schema, and what it refers to.
class OpenApiSchemas {
 public:
  // The schema of a field: {"type":"string"}. Adds the messages it needs.
  std::string OfField(const google::protobuf::FieldDescriptor& field);
  // {"$ref":"#/components/schemas/Profile"}. Adds the message and what it needs.
  std::string Reference(const google::protobuf::Descriptor& type);
  // All added so far, by name, as the members of components.schemas.
  std::string Members() const;

 private:
  std::string OfElement(const google::protobuf::FieldDescriptor& field);
  std::string OfMessage(const google::protobuf::Descriptor& type);

  std::map<std::string, std::string> schemas_;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_OPENAPI_SCHEMA_H_
