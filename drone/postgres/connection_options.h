// What libpq is told of a connection. Internal to this folder. Pure, thread-safe.
#ifndef CHARTLY_DRONE_POSTGRES_CONNECTION_OPTIONS_H_
#define CHARTLY_DRONE_POSTGRES_CONNECTION_OPTIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "drone/postgres/connection.h"

namespace chartly::drone {

using ConnectionOptions = std::vector<std::pair<std::string, std::string>>;

// Keywords of libpq with their values, none of them empty: an empty one would be filled from the environment. Includes
// keywords that only later releases of libpq know. `authorities_path` is the file of trusted authorities.
ConnectionOptions OptionsOf(const PostgresTarget& target, const std::string& address,
                            const std::string& authorities_path);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_CONNECTION_OPTIONS_H_
