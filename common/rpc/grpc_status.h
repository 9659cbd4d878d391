// Conversion between absl::Status and grpc::Status at the edge. Reason and details travel as google.rpc.Status.
#ifndef CHARTLY_COMMON_RPC_GRPC_STATUS_H_
#define CHARTLY_COMMON_RPC_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace chartly::rpc {

grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_GRPC_STATUS_H_
