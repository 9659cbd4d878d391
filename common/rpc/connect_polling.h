// How often gRPC looks at connections that are being made while no call waits for them.
//
// A call that fails at once, since nobody listens yet, does not stay to see the next attempt through; by default gRPC
// itself looks only every five seconds, so that a drone came back long after its control plane did.
#ifndef CHARTLY_COMMON_RPC_CONNECT_POLLING_H_
#define CHARTLY_COMMON_RPC_CONNECT_POLLING_H_

namespace chartly::rpc {

// Every 200 ms from now on, unless the environment says otherwise (GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS).
// Requires: called before anything else of gRPC and before there are threads.
void PollConnectionsOften();

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_CONNECT_POLLING_H_
