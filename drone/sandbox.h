// What a drone never does is refused to it by the kernel, so that a fault in a parser gives whoever finds it less to
// work with: starting programs and processes, looking into other processes and signalling them, changing mounts, users,
// namespaces, modules and clocks, and sockets other than those of TCP/IP and of this host.
//
// This is a list of what is refused, not of what is allowed: libraries may take to another call with their next
// release, and a drone that dies of it would be worth less than what the longer list brings (docs/adr/0014).
#ifndef CHARTLY_DRONE_SANDBOX_H_
#define CHARTLY_DRONE_SANDBOX_H_

#include "absl/status/status.h"

namespace chartly::drone {

// From here on such calls of this thread, and of those that it starts, fail with EPERM, and the process leaves no core,
// which would hold secrets. There is no way back. Unavailable (SANDBOX_UNAVAILABLE) if the kernel has no filters of
// system calls; then nothing is refused. Requires: no other thread runs yet.
absl::Status EnterSandbox();

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SANDBOX_H_
