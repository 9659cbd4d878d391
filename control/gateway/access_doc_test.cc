// docs/access.md: who may call what, made from the protos.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/access.h"
#include "common/rpc/profile_fields.h"
#include "control/gateway/route_table.h"
#include "test/support/generated_doc.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

constexpr char kHead[] = R"(# Who may call what

Every method states one access rule in its proto (`option (access)`); what is checked, the REST rules (`x-access` in
`/api/openapi.json`) and this page follow from it. A process that serves a method without a rule does not start.

The roles of keys form a ladder: `viewer`, `operator`, `publisher`, `admin`. Each may do what the ones before it may.

| Rule | Who |
|---|---|
| `public` | everyone; the answer is the caller's own |
| `viewer` | reads what the deployment publishes |
| `operator` | keeps things going: runs, drones, what waits in quarantine, reports |
| `publisher` | changes what is fetched and released: profiles and deployments; `REGISTRY_API_KEY` has this role |
| `admin` | decides who may do what; `admin.key` has this role |
| `drone` | a drone, for itself alone; also the two keys of the deployment |
| `internal` | other parts of the control plane; no REST route |
| `signed` | takes no key: every request carries a proof of its own, which the method checks |

"audited" is written to the audit log with its outcome, whether it was done or refused.

## Keys that are bound to projects

The project of a profile is what its id has before the first dot: `energy.prices` is in `energy`, `prices` in none. A key,
a signed token and the session of either can be bound to projects ([tenants.md](tenants.md#projects)). How a method deals
with them also stands in its proto (`option (binding)`, `x-binding` in OpenAPI), and without it the process does not start:

| Bound keys | |
|---|---|
| `free` | are answered like any other: it is about no profile |
| `named` | the request has to name a profile, and of their projects alone (`PROJECT_NOT_YOURS`) |
| `sought` | what is of other projects is left out, and its ids read like those of nothing; profiles that are named have to be theirs |
| `refused` | `PROJECTS_NOT_SERVED`: it is about more than the profiles of some projects |

They never meet the other methods.
)";

std::string BindingCell(const google::protobuf::MethodDescriptor& method) {
  const v1::Access access = rpc::AccessOf(method);
  const bool for_keys = access != v1::ACCESS_DRONE && access != v1::ACCESS_INTERNAL && access != v1::ACCESS_SIGNED;
  return for_keys ? absl::StrCat("`", rpc::BindingName(rpc::BindingOf(method)), "`") : "";
}

// Every service of the files that have a route: parts also serve services without any.
std::set<const google::protobuf::ServiceDescriptor*> Services(const RouteTable& table) {
  std::set<const google::protobuf::ServiceDescriptor*> services;
  for (const Route& route : table.routes()) {
    const google::protobuf::FileDescriptor* file = route.method->file();
    for (int i = 0; i < file->service_count(); ++i) services.insert(file->service(i));
  }
  return services;
}

std::map<std::string, std::vector<std::string>> RoutesByMethod(const RouteTable& table) {
  std::map<std::string, std::vector<std::string>> routes;
  for (const Route& route : table.routes()) {
    routes[route.method->full_name()].push_back(
        absl::StrCat("`", route.http_method, " ", route.path.OpenApiPath(nullptr), "`"));
  }
  return routes;
}

TEST_CASE("the page of access rules says what the protos say, and every method has a rule") {
  absl::StatusOr<RouteTable> table = RouteTable::Build();
  REQUIRE_OK(table);
  const auto routes = RoutesByMethod(*table);
  std::map<std::string, std::string> sections;
  for (const google::protobuf::ServiceDescriptor* service : Services(*table)) {
    std::string& section = sections[service->name()];
    for (int i = 0; i < service->method_count(); ++i) {
      const google::protobuf::MethodDescriptor& method = *service->method(i);
      INFO(method.full_name());
      CHECK(rpc::AccessOf(method) != v1::ACCESS_UNSPECIFIED);
      CHECK(rpc::BindingOf(method) != v1::BINDING_UNSPECIFIED);
      CHECK(rpc::ProfileFields(method).complete());
      auto found = routes.find(method.full_name());
      absl::StrAppend(&section, "| ", method.name(), " | `", rpc::AccessName(rpc::AccessOf(method)), "` | ",
                      BindingCell(method), " | ", found == routes.end() ? "" : absl::StrJoin(found->second, ", "),
                      " | ", rpc::IsAudited(method) ? "audited" : "", " |\n");
    }
  }
  std::string doc = kHead;
  for (const auto& [name, section] : sections) {
    absl::StrAppend(&doc, "\n## ", name, "\n\n| Method | Rule | Bound keys | REST | |\n|---|---|---|---|---|\n",
                    section);
  }
  testing::CheckGeneratedDoc("docs/access.md", doc);
}

}  // namespace
}  // namespace chartly::gateway
