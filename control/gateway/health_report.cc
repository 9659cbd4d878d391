#include "control/gateway/health_report.h"

#include <map>
#include <string>

#include "chartly/v1/observer.pb.h"
#include "common/status/status.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Message;

constexpr absl::Duration kTimeout = absl::Seconds(5);

http::PartCondition ConditionOf(const v1::PartStatus& part) {
  if (part.health() == v1::PART_HEALTH_SERVING) return {};
  if (part.health() == v1::PART_HEALTH_DEGRADED) return {"", part.message()};
  return {part.message().empty() ? "does not serve" : part.message(), ""};
}

std::map<std::string, http::PartCondition> Services(const http::AdminDeps& admin,
                                                    const absl::StatusOr<std::unique_ptr<Message>>& answer) {
  std::map<std::string, http::PartCondition> services;
  if (!answer.ok()) {
    if (admin.health) services = admin.health();
    services["observer"].problem = std::string(answer.status().message());
    return services;
  }
  for (const v1::PartStatus& part : static_cast<const v1::SystemStatus&>(**answer).parts()) {
    services[part.part()] = ConditionOf(part);
  }
  // What this process knows of its own parts is nearer than what the observer was told.
  if (admin.health) {
    for (auto& [name, condition] : admin.health()) services[name] = condition;
  }
  return services;
}

}  // namespace

void SendHealth(RpcCaller& caller, const Secret& api_key, const http::AdminDeps& admin,
                std::shared_ptr<http::Reply> reply) {
  static const google::protobuf::MethodDescriptor& method =
      *v1::SystemStatus::descriptor()->file()->FindServiceByName("ObserverService")->FindMethodByName("GetStatus");
  CallOptions options;
  options.api_key = api_key;
  options.timeout = kTimeout;
  std::shared_ptr<Call> call = caller.Unary(Part::kObserver, method, v1::GetStatusRequest(), options,
                                            [admin, reply](absl::StatusOr<std::unique_ptr<Message>> answer) {
                                              http::AdminDeps deps = admin;
                                              deps.health = [services = Services(admin, answer)] { return services; };
                                              http::Request request;
                                              request.method = "GET";
                                              request.path = "/health";
                                              http::ServeAdmin(deps, request, *reply);
                                            });
  reply->OnGone([call] { call->Cancel(); });
}

}  // namespace chartly::gateway
