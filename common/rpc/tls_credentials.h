// What gRPC wants to know of TLS. Plaintext for empty files.
#ifndef CHARTLY_COMMON_RPC_TLS_CREDENTIALS_H_
#define CHARTLY_COMMON_RPC_TLS_CREDENTIALS_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "common/rpc/tls.h"

namespace chartly::rpc {

std::shared_ptr<grpc::ServerCredentials> ServerCredentialsOf(const TlsFiles& files);
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(const TlsFiles& files);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_TLS_CREDENTIALS_H_
