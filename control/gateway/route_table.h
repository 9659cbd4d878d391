// All REST routes, read from the google.api.http annotations of the services of api/chartly/v1. There is no other list.
//
// Immutable after Build and so thread-safe. Literals win over variables, verbs over none.
#ifndef CHARTLY_CONTROL_GATEWAY_ROUTE_TABLE_H_
#define CHARTLY_CONTROL_GATEWAY_ROUTE_TABLE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/config/parts.h"
#include "control/gateway/path_template.h"
#include "google/protobuf/descriptor.h"

namespace chartly::gateway {

struct Route {
  std::string http_method;  // "GET"
  PathTemplate path;
  std::string shape;      // of the path
  bool has_body = false;  // body: "*"
  Part part = Part::kRegistry;
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string raw_body_field;   // takes the body as it is; empty if the body is JSON
  bool raw_body_bytes = false;  // any bytes, not only UTF-8
  // Of a server stream: the field of bytes that makes up the body; null if messages become events.
  const google::protobuf::FieldDescriptor* raw_answer = nullptr;
  // Fields that a header fills: name of the field, name of the header as documented.
  std::vector<std::pair<std::string, std::string>> header_fields;
};

struct RouteMatch {
  const Route* route = nullptr;               // null if nothing fits
  std::map<std::string, std::string> fields;  // decoded variables of the path
  std::string allow;                          // if only the method does not fit: what does, for the Allow header
};

class RouteTable {
 public:
  // Internal (ROUTES_INVALID) names the method whose annotation is not supported or is taken twice.
  static absl::StatusOr<RouteTable> Build();

  // HEAD finds the GET route. `path` as sent.
  RouteMatch Find(absl::string_view http_method, absl::string_view path) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;  // in order of shape
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_ROUTE_TABLE_H_
