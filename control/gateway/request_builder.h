// An HTTP request as the message of a method: body, query, headers, path, in that order, so the path wins. Thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_REQUEST_BUILDER_H_
#define CHARTLY_CONTROL_GATEWAY_REQUEST_BUILDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/http/http_server.h"
#include "control/gateway/route_table.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

// InvalidArgument names the field: FIELD_UNKNOWN, FIELD_INVALID, JSON_MALFORMED, TEXT_NOT_UTF8.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> BuildRequest(const http::Request& request,
                                                                        const RouteMatch& match);

// A new empty message of that type.
std::unique_ptr<google::protobuf::Message> NewMessage(const google::protobuf::Descriptor& type);

// The key or signed token from X-API-Key or Authorization: Bearer. Unauthenticated (API_KEY_MALFORMED) if it cannot be
// one.
absl::StatusOr<std::string> ApiKeyOf(const http::Request& request);

// 1 to 64 letters, digits and -._ of X-Request-Id, else 32 random hex digits.
std::string RequestIdOf(const http::Request& request);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_REQUEST_BUILDER_H_
