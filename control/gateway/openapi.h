// The OpenAPI 3.1 document of the routes, from the same descriptors that serve them. Pure, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_OPENAPI_H_
#define CHARTLY_CONTROL_GATEWAY_OPENAPI_H_

#include <string>

#include "control/gateway/route_table.h"

namespace chartly::gateway {

// JSON, in a fixed order: the same routes give the same bytes.
std::string OpenApiDocument(const RouteTable& routes);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_OPENAPI_H_
