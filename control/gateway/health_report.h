// GET /health of the gateway: the roll-up of all parts as the observer sees them. Thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_HEALTH_REPORT_H_
#define CHARTLY_CONTROL_GATEWAY_HEALTH_REPORT_H_

#include <memory>
#include <string>

#include "common/http/admin.h"
#include "common/http/http_server.h"
#include "control/gateway/rpc_caller.h"

namespace chartly::gateway {

// As /health of an admin port, of all parts. If the observer does not answer, what this process knows of itself, with
// the observer failing. Does not block.
// `api_key` is that of this process: whoever asks learns no more than this, and needs no key.
void SendHealth(RpcCaller& caller, const Secret& api_key, const http::AdminDeps& admin,
                std::shared_ptr<http::Reply> reply);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_HEALTH_REPORT_H_
