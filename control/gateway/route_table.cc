#include "control/gateway/route_table.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "chartly/v1/aggregator.pb.h"
#include "chartly/v1/audit.pb.h"
#include "chartly/v1/auth.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "chartly/v1/observer.pb.h"
#include "chartly/v1/options.pb.h"
#include "chartly/v1/registry.pb.h"
#include "chartly/v1/releases.pb.h"
#include "chartly/v1/reporter.pb.h"
#include "common/status/status.h"
#include "google/api/annotations.pb.h"

namespace chartly::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;

// Naming one message of each file also makes the linker keep it.
std::vector<const FileDescriptor*> ServiceFiles() {
  return {v1::Profile::descriptor()->file(),      v1::Run::descriptor()->file(),
          v1::RunLedger::descriptor()->file(),    v1::RunReportRequest::descriptor()->file(),
          v1::Caller::descriptor()->file(),       v1::AuditEvent::descriptor()->file(),
          v1::SystemStatus::descriptor()->file(), v1::Deployment::descriptor()->file()};
}

// The part that serves a file: the one whose main service stands in it.
const PartInfo* PartOf(const FileDescriptor& file) {
  for (const PartInfo& part : Parts()) {
    for (int i = 0; i < file.service_count(); ++i) {
      if (file.service(i)->full_name() == part.service) return &part;
    }
  }
  return nullptr;
}

absl::Status Invalid(const MethodDescriptor& method, absl::string_view why) {
  return Error(absl::StatusCode::kInternal, "ROUTES_INVALID",
               absl::StrCat("google.api.http of ", method.full_name(), ": ", why), {{"method", method.full_name()}});
}

bool IsTextField(const google::protobuf::Descriptor& message, const std::string& name) {
  const FieldDescriptor* field = message.FindFieldByName(name);
  return field != nullptr && !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

std::pair<std::string, std::string> MethodAndPath(const google::api::HttpRule& rule) {
  switch (rule.pattern_case()) {
    case google::api::HttpRule::kGet:
      return {"GET", rule.get()};
    case google::api::HttpRule::kPut:
      return {"PUT", rule.put()};
    case google::api::HttpRule::kPost:
      return {"POST", rule.post()};
    case google::api::HttpRule::kDelete:
      return {"DELETE", rule.delete_()};
    case google::api::HttpRule::kPatch:
      return {"PATCH", rule.patch()};
    default:
      return {"", ""};
  }
}

absl::Status SetRawBody(const MethodDescriptor& method, Route& route) {
  if (route.has_body) route.raw_body_field = method.options().GetExtension(v1::raw_body_field);
  if (route.raw_body_field.empty()) return absl::OkStatus();
  if (!IsTextField(*method.input_type(), route.raw_body_field)) {
    return Invalid(method, absl::StrCat("no field of text or bytes ", route.raw_body_field));
  }
  const FieldDescriptor* field = method.input_type()->FindFieldByName(route.raw_body_field);
  route.raw_body_bytes = field->type() == FieldDescriptor::TYPE_BYTES;
  return absl::OkStatus();
}

absl::Status SetRawAnswer(const MethodDescriptor& method, Route& route) {
  const std::string& name = method.options().GetExtension(v1::raw_answer_field);
  if (name.empty()) return absl::OkStatus();
  route.raw_answer = method.output_type()->FindFieldByName(name);
  bool is_bytes = route.raw_answer != nullptr && !route.raw_answer->is_repeated() &&
                  route.raw_answer->type() == FieldDescriptor::TYPE_BYTES;
  if (is_bytes && method.server_streaming()) return absl::OkStatus();
  return Invalid(method, absl::StrCat("raw_answer_field ", name, " is no field of bytes of a server stream"));
}

absl::Status SetHeaderFields(const MethodDescriptor& method, Route& route) {
  for (int i = 0; i < method.input_type()->field_count(); ++i) {
    const FieldDescriptor& field = *method.input_type()->field(i);
    std::string header = field.options().GetExtension(v1::http_header);
    if (header.empty()) continue;
    if (!IsTextField(*method.input_type(), field.name())) {
      return Invalid(method, absl::StrCat("field ", field.name(), " is filled by a header and is no text"));
    }
    route.header_fields.emplace_back(field.name(), std::move(header));
  }
  return absl::OkStatus();
}

absl::Status AddRoute(const MethodDescriptor& method, const google::api::HttpRule& rule, Part part,
                      std::vector<Route>& routes) {
  auto [http_method, path] = MethodAndPath(rule);
  if (http_method.empty()) return Invalid(method, "no get, put, post, delete or patch");
  if (!rule.body().empty() && rule.body() != "*") return Invalid(method, "body must be \"*\" or absent");
  if (method.client_streaming()) return Invalid(method, "a client stream has no REST form");
  absl::StatusOr<PathTemplate> parsed = PathTemplate::Parse(path);
  if (!parsed.ok()) return Invalid(method, parsed.status().message());
  for (const std::string& field : parsed->Fields()) {
    if (!IsTextField(*method.input_type(), field)) return Invalid(method, absl::StrCat("no text field ", field));
  }
  std::string shape = parsed->Shape();
  Route route{http_method, *std::move(parsed), std::move(shape), rule.body() == "*", part, &method, "", false, nullptr,
              {}};
  RETURN_IF_ERROR(SetRawBody(method, route));
  RETURN_IF_ERROR(SetRawAnswer(method, route));
  RETURN_IF_ERROR(SetHeaderFields(method, route));
  routes.push_back(std::move(route));
  return absl::OkStatus();
}

absl::Status AddMethod(const MethodDescriptor& method, Part part, std::vector<Route>& routes) {
  if (!method.options().HasExtension(google::api::http)) return absl::OkStatus();
  const google::api::HttpRule& rule = method.options().GetExtension(google::api::http);
  RETURN_IF_ERROR(AddRoute(method, rule, part, routes));
  for (const google::api::HttpRule& additional : rule.additional_bindings()) {
    RETURN_IF_ERROR(AddRoute(method, additional, part, routes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RouteTable> RouteTable::Build() {
  RouteTable table;
  for (const FileDescriptor* file : ServiceFiles()) {
    const PartInfo* part = PartOf(*file);
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const MethodDescriptor& method = *file->service(s)->method(m);
        if (part == nullptr) return Invalid(method, "no part serves it; add it to common/config/parts.cc");
        RETURN_IF_ERROR(AddMethod(method, part->part, table.routes_));
      }
    }
  }
  auto key = [](const Route& route) { return std::make_pair(route.shape, route.http_method); };
  std::sort(table.routes_.begin(), table.routes_.end(),
            [&](const Route& a, const Route& b) { return key(a) < key(b); });
  auto twice = std::adjacent_find(table.routes_.begin(), table.routes_.end(),
                                  [&](const Route& a, const Route& b) { return key(a) == key(b); });
  if (twice != table.routes_.end()) {
    return Invalid(*twice->method, absl::StrCat("the same route as ", std::next(twice)->method->full_name()));
  }
  return table;
}

RouteMatch RouteTable::Find(absl::string_view http_method, absl::string_view path) const {
  absl::string_view wanted = http_method == "HEAD" ? "GET" : http_method;
  RouteMatch match;
  std::string shape;
  std::set<std::string> allowed;
  for (const Route& route : routes_) {
    // Once a shape fits, only routes of that shape count.
    if (!shape.empty() && route.shape != shape) break;
    if (!route.path.Match(path, &match.fields)) continue;
    shape = route.shape;
    if (route.http_method == wanted) {
      match.route = &route;
      return match;
    }
    allowed.insert(route.http_method);
    if (route.http_method == "GET") allowed.insert("HEAD");
  }
  if (!allowed.empty()) {
    allowed.insert("OPTIONS");
    match.allow = absl::StrJoin(allowed, ", ");
  }
  return match;
}

}  // namespace chartly::gateway
