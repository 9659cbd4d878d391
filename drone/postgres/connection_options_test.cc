#include "drone/postgres/connection_options.h"

#include <libpq-fe.h>

#include <set>

#include "test/support/test.h"

namespace chartly::drone {
namespace {

TEST_CASE("no option of a connection is left to the environment") {
  std::set<std::string> given;
  for (const auto& [keyword, value] : OptionsOf({}, "127.0.0.1", "/authorities")) {
    INFO(keyword);
    given.insert(keyword);
    // Those of the target are never empty in a profile.
    if (keyword != "host" && keyword != "dbname" && keyword != "user") CHECK_FALSE(value.empty());
  }
  PQconninfoOption* options = PQconndefaults();
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    INFO(option->keyword);
    bool of_services = std::string(option->keyword).rfind("service", 0) == 0;  // refused by PostgresConnection
    if (option->envvar != nullptr && !of_services) CHECK(given.count(option->keyword) == 1);
  }
  PQconninfoFree(options);
}

}  // namespace
}  // namespace chartly::drone
