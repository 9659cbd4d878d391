// One connection to a PostgreSQL server. libpq lies behind it (connection.cc, the only file that sees it).
//
// Every wait ends at its limit, and soon after the Interrupt is raised. What libpq would take from its surroundings
// (PG* variables, ~/.pgpass, certificates in the home folder) is overridden; PGSERVICE, which cannot be, is refused.
// Rows come one by one: a result of any size takes the memory of its largest row, and rows beyond kMaxRowBytes are
// refused. Not thread-safe.
#ifndef CHARTLY_DRONE_POSTGRES_CONNECTION_H_
#define CHARTLY_DRONE_POSTGRES_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drone/postgres/interrupt.h"

namespace chartly::drone {

struct PostgresTarget {
  std::string host;  // proves itself by this name with verify-full
  int64_t port = 5432;
  std::vector<std::string> addresses;  // numeric; one after the other is tried
  std::string database;
  std::string user;
  std::string password;
  std::string tls = "verify-full";  // as in PostgresConfig
  std::string authorities;          // PEM texts of authorities to trust beside those of the machine
};

// `written` is what the user wrote of it, for places in error messages; `lead` stands before it.
struct PostgresStatement {
  std::string lead;
  std::string written;
  std::vector<std::optional<std::string>> parameters;  // $1, $2, ...; types are inferred by the server
};

struct PostgresColumn {
  std::string name;
  uint32_t type = 0;  // OID, see row_json.h
};

// The largest row that is taken, as it comes over the wire.
inline constexpr int64_t kMaxRowBytes = int64_t{8} << 20;

class PostgresConnection {
 public:
  // `timeout` is that of every statement; `interrupt` outlives this. SOURCE_UNREACHABLE, SOURCE_AUTH, CANCELLED.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(const PostgresTarget& target, absl::Duration timeout,
                                                                  const Interrupt& interrupt);
  // A statement that still runs is cancelled.
  virtual ~PostgresConnection() = default;

  // Runs one statement to its end; its rows are dropped. Errors: those of Open, SOURCE_QUERY, SOURCE_TIMEOUT,
  // SOURCE_TOO_LARGE (a row beyond kMaxRowBytes).
  virtual absl::Status Execute(const PostgresStatement& statement) = 0;
  // Begins one statement, whose rows NextRow gives. Requires: the one before was read to its end.
  virtual absl::Status Begin(const PostgresStatement& statement) = 0;
  // Whether there is another row, which cells then tell until the next call. Errors as of Execute.
  virtual absl::StatusOr<bool> NextRow() = 0;
  // Of the current row, or after the end of those there were none of. Empty before the first NextRow.
  virtual const std::vector<PostgresColumn>& columns() const = 0;
  // The text of a cell of the current row; nothing for null.
  virtual std::optional<absl::string_view> Cell(int column) const = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_CONNECTION_H_
