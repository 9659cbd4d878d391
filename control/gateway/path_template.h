// The path of a google.api.http rule: "/api/{name=profiles/*}:pause". Literals, {field}, {field=literal/*} and a verb.
// Plain data; thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_PATH_TEMPLATE_H_
#define CHARTLY_CONTROL_GATEWAY_PATH_TEMPLATE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::gateway {

struct PathSegment {
  std::string literal;  // empty: any one segment
  std::string field;    // the variable it belongs to; empty if none
};

struct PathTemplate {
  std::vector<PathSegment> segments;
  std::string verb;

  // InvalidArgument (TEMPLATE_INVALID) for syntax that is not supported ("**").
  static absl::StatusOr<PathTemplate> Parse(absl::string_view text);
  // Whether `path` (as sent, percent-encoded) fits; then `fields` holds the decoded text of each variable.
  bool Match(absl::string_view path, std::map<std::string, std::string>* fields) const;
  // Names of the variables, in order.
  std::vector<std::string> Fields() const;
  // The path with `{field}` for each open segment, as OpenAPI writes it: "/api/profiles/{profile}:pause".
  // `parameters` gets (name in the path, variable it belongs to).
  std::string OpenApiPath(std::vector<std::pair<std::string, std::string>>* parameters) const;
  // Templates that fit the same paths have equal shapes; a smaller shape is more specific.
  std::string Shape() const;
};

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_PATH_TEMPLATE_H_
