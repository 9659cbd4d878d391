#include "common/http/admin.h"

#include "absl/strings/str_cat.h"
#include "common/http/error_body.h"
#include "common/telemetry/metrics.h"
#include "common/text/json_string.h"

namespace chartly::http {
namespace {

Response Json(int status, std::string body) {
  return Response{status, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, std::move(body)};
}

Response Health(const AdminDeps& deps) {
  std::map<std::string, PartCondition> parts = deps.health ? deps.health() : std::map<std::string, PartCondition>();
  bool all_serve = true;
  bool all_well = true;
  std::string services;
  for (const auto& [name, condition] : parts) {
    if (!services.empty()) services += ',';
    AppendJsonString(services, name);
    const bool serves = condition.problem.empty();
    if (serves && condition.amiss.empty()) {
      services += R"(:{"status":"ok"})";
      continue;
    }
    all_serve = all_serve && serves;
    all_well = false;
    services += serves ? R"(:{"status":"degraded","message":)" : R"(:{"status":"failing","message":)";
    AppendJsonString(services, serves ? condition.amiss : condition.problem);
    services += '}';
  }
  std::string body = absl::StrCat(R"({"status":")", all_well ? "ok" : "degraded", R"(","process":)");
  AppendJsonString(body, deps.process);
  body += R"(,"version":)";
  AppendJsonString(body, deps.version);
  absl::StrAppend(&body, R"(,"services":{)", services, "}}\n");
  return Json(all_serve ? 200 : 503, std::move(body));
}

void GaugeConditions(const AdminDeps& deps) {
  if (!deps.health) return;
  for (const auto& [name, condition] : deps.health()) {
    const int rank = !condition.problem.empty() ? 2 : !condition.amiss.empty() ? 1 : 0;
    SetGauge("chartly_part_condition", rank, name);
  }
}

}  // namespace

bool ServeAdmin(const AdminDeps& deps, const Request& request, Reply& reply) {
  if (request.path != "/health" && request.path != "/ready" && request.path != "/metrics") return false;
  if (request.method != "GET" && request.method != "HEAD") {
    Response refused = ErrorResponse(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED",
                                     absl::StrCat(request.path, " answers GET and HEAD, not ", request.method));
    refused.headers.emplace_back("Allow", "GET, HEAD");
    reply.Send(std::move(refused));
    return true;
  }
  if (request.path == "/health") {
    reply.Send(Health(deps));
  } else if (request.path == "/ready") {
    bool ready = !deps.ready || deps.ready();
    reply.Send(Json(ready ? 200 : 503, ready ? "{\"ready\":true}\n" : "{\"ready\":false}\n"));
  } else {
    GaugeConditions(deps);
    reply.Send(Response{200, {{"Content-Type", "text/plain; version=0.0.4"}}, ScrapeMetrics()});
  }
  return true;
}

std::unique_ptr<HttpServer> CreateAdminServer(AdminDeps deps) {
  ServerOptions options;
  options.max_body_bytes = 1024;
  options.max_connections = 100;
  options.threads = 1;
  return HttpServer::Create(
      [deps = std::move(deps)](Request request, std::shared_ptr<Reply> reply) {
        if (ServeAdmin(deps, request, *reply)) return;
        reply->Send(
            ErrorResponse(404, "NOT_FOUND", "ROUTE_UNKNOWN",
                          absl::StrCat("no route ", request.path, "; this port has /health, /ready, /metrics")));
      },
      options);
}

}  // namespace chartly::http
