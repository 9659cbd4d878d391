#include "drone/postgres/connection.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "common/status/status.h"
#include "test/support/postgres_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::Eventually;
using chartly::testing::PostgresFixture;
using chartly::testing::Says;
using chartly::testing::TempDir;

struct World {
  PostgresFixture server;
  Interrupt interrupt;
  absl::Duration timeout = absl::Seconds(30);
  PostgresTarget target{.host = "localhost",
                        .port = server.port(),
                        .addresses = {"127.0.0.1"},
                        .database = "postgres",
                        .user = "reader",
                        .password = PostgresFixture::kReaderPassword,
                        .tls = "verify-full",
                        .authorities = server.Authority()};

  absl::StatusOr<std::unique_ptr<PostgresConnection>> Open() {
    return PostgresConnection::Open(target, timeout, interrupt);
  }
  absl::Status Run(const std::string& query) {
    ASSIGN_OR_RETURN(auto connection, Open());
    return connection->Execute({"", query, {}});
  }
  bool ServerRuns(const std::string& part) {
    return server.Ask("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%" + part +
                      "%' AND pid <> pg_backend_pid()") != "0";
  }
};

TEST_CASE("a server proves itself by the name that was asked for, with an authority that is trusted") {
  if (PostgresFixture::Missing()) return;
  World world;
  auto connection = world.Open();
  REQUIRE_OK(connection);
  REQUIRE_OK((*connection)->Begin({"", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", {}}));
  auto row = (*connection)->NextRow();
  REQUIRE_OK(row);
  CHECK((*connection)->Cell(0) == "t");

  // The certificate is for localhost and not for this name, though the address is the same.
  world.target.host = "db.example.org";
  absl::Status other = world.Open().status();
  CHECK(Reason(other) == "SOURCE_UNREACHABLE");
  CHECK(other.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Says(other, "db.example.org"));
  world.target.tls = "require";
  CHECK_OK(world.Open());

  world.target.host = "localhost";
  world.target.tls = "verify-full";
  world.target.authorities = "";
  absl::Status unknown = world.Open().status();
  CHECK(Reason(unknown) == "SOURCE_UNREACHABLE");
  CHECK(Says(unknown, "certificate"));
}

TEST_CASE("what a server refuses comes with its reason, and the password is never shown") {
  if (PostgresFixture::Missing()) return;
  World world;
  absl::Status syntax = world.Run("SELECT 1,\n  oops");
  CHECK(Reason(syntax) == "SOURCE_QUERY");
  CHECK(Says(syntax, "line 2, column 3"));
  CHECK(Says(syntax, "oops"));
  CHECK(Details(syntax)["sqlstate"] == "42703");
  CHECK(Reason(world.Run("SELECT 1; SELECT 2")) == "SOURCE_QUERY");
  CHECK(Details(world.Run("CREATE TABLE t (a int)"))["sqlstate"] == "25006");

  world.target.password = "wrong secret";
  absl::Status wrong = world.Open().status();
  CHECK(Reason(wrong) == "SOURCE_AUTH");
  CHECK(wrong.code() == absl::StatusCode::kPermissionDenied);
  CHECK(Says(wrong, "reader"));
  CHECK_FALSE(Says(wrong, "wrong secret"));
  world.target.password = "";
  CHECK(Reason(world.Open().status()) == "SOURCE_AUTH");
  world.target.password = PostgresFixture::kReaderPassword;
  world.target.database = "nowhere";
  CHECK(Details(world.Open().status())["sqlstate"] == "3D000");
}

TEST_CASE("a server that is not there is tried at every address and named") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.target.addresses = {"127.0.0.2", "127.0.0.1"};
  CHECK_OK(world.Open());
  world.server.Stop();
  absl::Status gone = world.Open().status();
  CHECK(Reason(gone) == "SOURCE_UNREACHABLE");
  CHECK(absl::IsUnavailable(gone));
  CHECK(Says(gone, "localhost:" + std::to_string(world.server.port())));
}

TEST_CASE("nothing is taken from variables and files around the process") {
  if (PostgresFixture::Missing()) return;
  World world;
  TempDir home;
  std::ofstream(home.File("pass")) << "*:*:*:*:" << PostgresFixture::kReaderPassword << "\n";
  ::chmod(home.File("pass").c_str(), 0600);
  const std::map<std::string, std::string> variables = {
      {"PGHOST", "/tmp"},         {"PGHOSTADDR", "203.0.113.1"}, {"PGPORT", "1"},
      {"PGUSER", "postgres"},     {"PGPASSWORD", "superuser"},   {"PGDATABASE", "template1"},
      {"PGSSLMODE", "disable"},   {"PGSSLROOTCERT", "/x"},       {"PGPASSFILE", home.File("pass")},
      {"PGOPTIONS", "-c x=y"},    {"PGREQUIREPEER", "x"},        {"PGTARGETSESSIONATTRS", "standby"},
      {"PGREQUIREAUTH", "none"},  {"PGGSSENCMODE", "require"},   {"PGCHANNELBINDING", "require"},
      {"PGCONNECT_TIMEOUT", "x"}, {"PGCLIENTENCODING", "LATIN1"}};
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  CHECK_OK(world.Run("SELECT 1"));
  world.target.password = "";
  CHECK(Reason(world.Open().status()) == "SOURCE_AUTH");
  world.target.password = PostgresFixture::kReaderPassword;
  ::setenv("PGSERVICE", "x", 1);
  CHECK(Says(world.Open().status(), "PGSERVICE"));
  ::unsetenv("PGSERVICE");
  for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
}

TEST_CASE("an interrupt ends a wait, and the server stops working") {
  if (PostgresFixture::Missing()) return;
  World world;
  std::thread interrupter([&] {
    Eventually([&] { return world.ServerRuns("pg_sleep(600)"); });
    world.interrupt.Raise();
    world.interrupt.Raise();
  });
  absl::Status status = world.Run("SELECT pg_sleep(600)");
  interrupter.join();
  CHECK(Reason(status) == "CANCELLED");
  CHECK(Eventually([&] { return !world.ServerRuns("pg_sleep(600)"); }));
  CHECK(Reason(world.Open().status()) == "CANCELLED");
}

TEST_CASE("a connection that is given up leaves no statement running") {
  if (PostgresFixture::Missing()) return;
  World world;
  {
    auto connection = world.Open();
    REQUIRE_OK(connection);
    REQUIRE_OK((*connection)->Begin({"", "SELECT n, pg_sleep(0.001) FROM generate_series(1, 1000000) n", {}}));
    REQUIRE(Eventually([&] { return world.ServerRuns("generate_series(1, 1000000)"); }));
  }
  CHECK(Eventually([&] { return !world.ServerRuns("generate_series(1, 1000000)"); }));
}

TEST_CASE("a row beyond the limit is refused before it is in memory") {
  if (PostgresFixture::Missing()) return;
  World world;
  CHECK_OK(world.Run("SELECT repeat('x', 4000000)"));
  absl::Status large = world.Run("SELECT repeat('x', 200000000)");
  CHECK(Reason(large) == "SOURCE_TOO_LARGE");
  CHECK(Says(large, "8 MiB"));
}

}  // namespace
}  // namespace chartly::drone
