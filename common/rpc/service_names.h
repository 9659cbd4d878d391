// Learns the names of the services of a server while it is built: gRPC tells them to plugins only.
#ifndef CHARTLY_COMMON_RPC_SERVICE_NAMES_H_
#define CHARTLY_COMMON_RPC_SERVICE_NAMES_H_

#include <string>
#include <vector>

namespace chartly::rpc {

// Makes every later grpc::ServerBuilder note the names. Call once, before the first builder.
void InstallServiceNames();
// The full names ("chartly.v1.RegistryService") of the server last built on this thread.
std::vector<std::string> BuiltServiceNames();

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_SERVICE_NAMES_H_
