// /health, /ready and /metrics: what every process serves on its admin port.
#ifndef CHARTLY_COMMON_HTTP_ADMIN_H_
#define CHARTLY_COMMON_HTTP_ADMIN_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/http/http_server.h"

namespace chartly::http {

// How a part of a process does.
struct PartCondition {
  std::string problem;  // what is wrong with it, and a restart may mend; empty if nothing
  std::string amiss;    // what is wrong, and none mends: another part is away, a disk is full, damage was set aside
};

struct AdminDeps {
  std::string process;  // "chartly-control"
  std::string version;
  // The parts of this process by name. Cheap.
  std::function<std::map<std::string, PartCondition>()> health;
  // Whether the process takes work.
  std::function<bool()> ready;
};

// Answers the three paths; says false if the path is another, and then has not touched the reply.
// /health:
// {"status":"ok"|"degraded","version","services":{name:{"status":"ok"}|{"status":"degraded"|"failing","message"}}}, 503
// if one fails, else 200: whoever restarts what is not healthy must not do so over and over, nor have a fault of one
// part end those that wait for it. /ready: 200 or 503 with {"ready":bool}. /metrics: Prometheus text.
bool ServeAdmin(const AdminDeps& deps, const Request& request, Reply& reply);

// A server of one thread that answers these paths and nothing else. Not started.
std::unique_ptr<HttpServer> CreateAdminServer(AdminDeps deps);

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_ADMIN_H_
