// Adds the API key of this process to every call that does not carry one, and the tenant that the call is for. Used by
// network and in-process channels.
#ifndef CHARTLY_COMMON_RPC_CHANNEL_INTERCEPTOR_H_
#define CHARTLY_COMMON_RPC_CHANNEL_INTERCEPTOR_H_

#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

namespace chartly::rpc {

// No interceptor for an empty key. No tenant is told if it is empty.
std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> KeyInterceptors(
    const std::string& api_key, const std::string& tenant = "");

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_CHANNEL_INTERCEPTOR_H_
