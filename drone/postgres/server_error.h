// What a PostgreSQL server said when it refused something, as a status of a source. Pure, thread-safe.
#ifndef CHARTLY_DRONE_POSTGRES_SERVER_ERROR_H_
#define CHARTLY_DRONE_POSTGRES_SERVER_ERROR_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

struct ServerError {
  std::string sqlstate;  // five characters; empty if the connection broke instead
  std::string message;
  std::string detail;
  std::string hint;
  size_t position = 0;  // one-based, in characters of the user's query; 0: unknown
};

// By class of the SQLSTATE: SOURCE_AUTH (PermissionDenied), SOURCE_UNREACHABLE (Unavailable: the server starts, stops,
// has no room for another connection, or was lost), else SOURCE_QUERY (FailedPrecondition) with the line and column of
// `query` where it went wrong and the details sqlstate and position. `server` is host:port. Texts of the server are cut
// and escaped.
absl::Status StatusOfServerError(const ServerError& error, absl::string_view server, absl::string_view query);

// Whether the server ended a statement because it was asked to, by us or by its clock (SQLSTATE 57014).
bool IsQueryCancelled(const ServerError& error);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_SERVER_ERROR_H_
