// Charges calls that nobody could make sense of to the connection that they came by (common/gate/paced_reads.h): those
// that end with InvalidArgument, and those whose message cannot be read at all. Thread-safe.
#ifndef CHARTLY_COMMON_RPC_CHARGE_INTERCEPTOR_H_
#define CHARTLY_COMMON_RPC_CHARGE_INTERCEPTOR_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <vector>

namespace chartly::rpc {

// With `spares_relayed`, calls that tell of an address (kAddressMetadata) are those of a gateway in another process,
// which has the garbage of its clients charged to them by itself: they cost its connection nothing.
std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> ChargeInterceptors(
    bool spares_relayed);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_CHARGE_INTERCEPTOR_H_
