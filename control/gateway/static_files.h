// The web page, from the files built into the program. Thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_STATIC_FILES_H_
#define CHARTLY_CONTROL_GATEWAY_STATIC_FILES_H_

#include "common/http/http_server.h"

namespace chartly::gateway {

// A file of the page, 304 if the client has it, 404, or 405. "/" is the page itself.
http::Response ServeStaticFile(const http::Request& request);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_STATIC_FILES_H_
