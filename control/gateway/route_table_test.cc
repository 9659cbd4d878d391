#include "control/gateway/route_table.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/options.pb.h"
#include "control/gateway/openapi.h"
#include "google/api/annotations.pb.h"
#include "simdjson.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

RouteTable Table() {
  absl::StatusOr<RouteTable> table = RouteTable::Build();
  REQUIRE_OK(table);
  return *std::move(table);
}

// A path that fits: open segments get ids that no literal has.
std::string PathFor(const Route& route) {
  std::string path;
  for (const PathSegment& segment : route.path.segments) {
    absl::StrAppend(&path, "/", segment.literal.empty() ? "an-id.9" : segment.literal);
  }
  return route.path.verb.empty() ? path : absl::StrCat(path, ":", route.path.verb);
}

std::string MethodOf(const RouteTable& table, const std::string& http_method, const std::string& path) {
  RouteMatch match = table.Find(http_method, path);
  return match.route == nullptr ? "" : match.route->method->name();
}

TEST_CASE("every annotated method is reached by its path, and by that alone") {
  RouteTable table = Table();
  CHECK(table.routes().size() > 35);
  for (const Route& route : table.routes()) {
    INFO(route.http_method << " " << PathFor(route));
    RouteMatch match = table.Find(route.http_method, PathFor(route));
    REQUIRE(match.route != nullptr);
    CHECK(match.route == &route);
    for (const std::string& field : route.path.Fields()) CHECK(absl::EndsWith(match.fields[field], "an-id.9"));
  }
}

TEST_CASE("the table holds every annotation of every service, and nothing internal") {
  RouteTable table = Table();
  std::set<std::string> routed;
  for (const Route& route : table.routes()) {
    routed.insert(route.method->full_name());
    CHECK(route.method->options().GetExtension(v1::access) != v1::ACCESS_INTERNAL);
    CHECK(route.method->options().GetExtension(v1::access) != v1::ACCESS_UNSPECIFIED);
  }
  const auto& pool = *google::protobuf::DescriptorPool::generated_pool();
  for (const PartInfo& part : Parts()) {
    if (part.service[0] == '\0') continue;
    const auto* service = pool.FindServiceByName(part.service);
    REQUIRE(service != nullptr);
    for (int i = 0; i < service->method_count(); ++i) {
      INFO(service->method(i)->full_name());
      bool annotated = service->method(i)->options().HasExtension(google::api::http);
      CHECK(routed.count(service->method(i)->full_name()) == (annotated ? 1U : 0U));
    }
  }
}

TEST_CASE("paths find their methods, literals win over variables") {
  RouteTable table = Table();
  CHECK(MethodOf(table, "GET", "/api/profiles") == "ListProfiles");
  CHECK(MethodOf(table, "POST", "/api/profiles") == "CreateProfile");
  CHECK(MethodOf(table, "GET", "/api/profiles/x") == "GetProfile");
  CHECK(MethodOf(table, "HEAD", "/api/profiles/x") == "GetProfile");
  CHECK(MethodOf(table, "POST", "/api/profiles/x:pause") == "PauseProfile");
  CHECK(MethodOf(table, "POST", "/api/profiles:validate") == "ValidateProfile");
  CHECK(MethodOf(table, "GET", "/api/profiles/x/fields") == "GetProfileFields");
  CHECK(MethodOf(table, "GET", "/api/profiles/x/status") == "GetProfileStatus");
  CHECK(MethodOf(table, "POST", "/api/profiles/x:runNow") == "RunProfileNow");
  CHECK(MethodOf(table, "GET", "/api/drones/stats") == "GetDroneStats");
  CHECK(MethodOf(table, "GET", "/api/drones/other") == "GetDrone");
  CHECK(MethodOf(table, "GET", "/api/audit/v0/events") == "ListAuditEvents");
  CHECK(MethodOf(table, "GET", "/api/audit/events") == "ListAuditEvents");
  CHECK(table.Find("GET", "/api/profiles/x@sha256:ab%3Acd").fields["name"] == "profiles/x@sha256:ab:cd");
}

TEST_CASE("what is not a route is told from what only lacks the method") {
  RouteTable table = Table();
  for (const char* path : {"/", "/api", "/api/", "/api/profile", "/api/profiles/", "/api/profiles/x/y/z",
                           "/api/profiles/%zz", "api/profiles", ""}) {
    INFO(path);
    RouteMatch match = table.Find("GET", path);
    CHECK(match.route == nullptr);
    CHECK(match.allow.empty());
  }
  CHECK(table.Find("PATCH", "/api/profiles/x").allow == "DELETE, GET, HEAD, OPTIONS, PUT");
  CHECK(table.Find("GET", "/api/profiles/x:pause").allow.empty() == false);
  CHECK(table.Find("DELETE", "/api/reports").allow == "GET, HEAD, OPTIONS, POST");
}

TEST_CASE("templates that are not supported are refused by name") {
  for (const char* text : {"", "api", "/a/{x=**}", "/a/*", "/a/{x", "/a//b", "/a/{=b}", "/a/{x}y"}) {
    INFO(text);
    CHECK_FALSE(PathTemplate::Parse(text).ok());
  }
}

TEST_CASE("the OpenAPI document is JSON, lists every route, and resolves its references") {
  RouteTable table = Table();
  std::string text = OpenApiDocument(table);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  REQUIRE(parser.parse(text).get(document) == simdjson::SUCCESS);
  CHECK(std::string(document["openapi"].get_string().value_unsafe()) == "3.1.0");
  size_t operations = 0;
  std::set<std::string> ids;
  for (auto path : simdjson::dom::object(document["paths"])) {
    for (auto operation : simdjson::dom::object(path.value)) {
      ++operations;
      ids.insert(std::string(std::string_view(operation.value["operationId"])));
    }
  }
  CHECK(operations == table.routes().size());
  CHECK(ids.size() == operations);
  simdjson::dom::object schemas = document["components"]["schemas"];
  const std::string marker = "#/components/schemas/";
  for (size_t at = text.find(marker); at != std::string::npos; at = text.find(marker, at + 1)) {
    std::string name = text.substr(at + marker.size(), text.find('"', at) - at - marker.size());
    INFO(name);
    CHECK(schemas[name].error() == simdjson::SUCCESS);
  }
}

}  // namespace
}  // namespace chartly::gateway
