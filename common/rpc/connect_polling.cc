#include "common/rpc/connect_polling.h"

#include <cstdlib>

namespace chartly::rpc {

void PollConnectionsOften() { ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", /*replace=*/0); }

}  // namespace chartly::rpc
