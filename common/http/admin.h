// /health, /ready and /metrics: what every process serves on its admin port.
#ifndef CHARTLY_COMMON_HTTP_ADMIN_H_
#define CHARTLY_COMMON_HTTP_ADMIN_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/http/http_server.h"

namespace chartly::http {

struct AdminDeps {
  std::string process;  // "chartly-control"
  std::string version;
  // Health of each part of this process: name -> "" if it serves, else what is wrong. Cheap.
  std::function<std::map<std::string, std::string>()> health;
  // Whether the process takes work.
  std::function<bool()> ready;
};

// Answers the three paths; says false if the path is another, and then has not touched the reply.
// /health: {"status":"ok"|"degraded","version","services":{name:{"status":"ok"}|{"status":"failing","message"}}},
// 200 or 503. /ready: 200 or 503 with {"ready":bool}. /metrics: Prometheus text.
bool ServeAdmin(const AdminDeps& deps, const Request& request, Reply& reply);

// A server of one thread that answers these paths and nothing else. Not started.
std::unique_ptr<HttpServer> CreateAdminServer(AdminDeps deps);

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_ADMIN_H_
