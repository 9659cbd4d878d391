// A profile that reads from the PostgreSQL server of a test, as its user without privileges. Requires
// PostgresFixture::Missing() is false.
#ifndef CHARTLY_DRONE_FETCH_POSTGRES_READER_FOR_TEST_H_
#define CHARTLY_DRONE_FETCH_POSTGRES_READER_FOR_TEST_H_

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/profile/profile.h"
#include "test/support/postgres_fixture.h"

namespace chartly::drone {

// The query is left open. The password lies below `secrets_dir`, as secret db/password.
inline Profile ReaderOf(const testing::PostgresFixture& server, const testing::TempDir& secrets_dir) {
  std::filesystem::create_directory(secrets_dir.File("db"));
  std::string file = secrets_dir.File("db/password");
  std::ofstream(file) << testing::PostgresFixture::kReaderPassword << "\n";
  ::chmod(file.c_str(), 0600);
  Profile profile;
  profile.source.type = SourceType::kPostgres;
  PostgresConfig& config = profile.source.postgres;
  config.host = "localhost";
  config.port = server.port();
  config.database = "postgres";
  config.user = "reader";
  config.password = {"db", "password"};
  config.tls = "require";
  return profile;
}

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_POSTGRES_READER_FOR_TEST_H_
