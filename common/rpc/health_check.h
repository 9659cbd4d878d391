// Asks a server for the health of a service, as grpc.health.v1 has it.
#ifndef CHARTLY_COMMON_RPC_HEALTH_CHECK_H_
#define CHARTLY_COMMON_RPC_HEALTH_CHECK_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace chartly::rpc {

// OK if the service serves. FailedPrecondition (NOT_SERVING) if the server answers that it does not, or does not have
// it; anything else is the error of the call: Unavailable, DeadlineExceeded. Blocks at most `timeout`. Thread-safe.
absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                         absl::Duration timeout);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_HEALTH_CHECK_H_
