#include "drone/fetch/postgres_source.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/status/status.h"
#include "drone/fetch/postgres_reader_for_test.h"
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
  TempDir secrets_dir;
  Secrets secrets{secrets_dir.path()};
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1", "::1"}));
  FakeClock clock;
  Profile profile = ReaderOf(server, secrets_dir);
  Cursor cursor;
  absl::Time deadline = absl::InfiniteFuture();

  absl::StatusOr<std::unique_ptr<Source>> TryOpen() {
    SourceDeps deps{*http, clock, "", &secrets, cursor};
    deps.deadline = deadline;
    return OpenSource(profile, deps);
  }
  std::unique_ptr<Source> Open(const std::string& query) {
    profile.source.postgres.query = query;
    auto source = TryOpen();
    REQUIRE_OK(source);
    return *std::move(source);
  }
  // All rows, or the error that ended them.
  absl::StatusOr<std::string> TryRead(Source& source) {
    std::string all;
    while (true) {
      ASSIGN_OR_RETURN(std::optional<Page> page, source.Next(nullptr));
      if (!page) return all;
      ASSIGN_OR_RETURN(std::string body, ReadAll(*page->body, 64 << 20));
      all += body;
    }
  }
  absl::Status Fails(const std::string& query) { return TryRead(*Open(query)).status(); }
  std::string Read(const std::string& query) {
    auto rows = TryRead(*Open(query));
    REQUIRE_OK(rows);
    return *rows;
  }
};

TEST_CASE("values of every type arrive whole") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.server.Sql(
      "CREATE DOMAIN share AS numeric(5,2); CREATE TYPE mood AS ENUM ('good');"
      "CREATE TABLE t (i bigint, n numeric, p share, d float8, b bool, s text, e text, z text, at timestamptz, "
      "on_day date, local timestamp, j json, a int[], w text[], m mood, u uuid);"
      "INSERT INTO t VALUES (9223372036854775807, 12345678901234567890.123456789000, 7.50, 0.1, true, 'ä \"q\"', '', "
      "NULL, '2026-01-31 10:00:00.25+01', '2026-01-31', '2026-01-31 10:00', E'{\"k\":\\n 1}', '{1,NULL}', "
      "'{\"a,b\"}', 'good', '00000000-0000-0000-0000-000000000001');"
      "GRANT SELECT ON t TO reader");
  CHECK(world.Read("SELECT * FROM t") ==
        R"({"i":9223372036854775807,"n":12345678901234567890.123456789000,"p":7.50,"d":0.1,"b":true,)"
        R"("s":"ä \"q\"","e":"","z":null,"at":"2026-01-31T09:00:00.25Z","on_day":"2026-01-31",)"
        R"("local":"2026-01-31T10:00:00","j":"{\"k\":\u000a 1}","a":"[1,null]","w":"[\"a,b\"]","m":"good",)"
        R"("u":"00000000-0000-0000-0000-000000000001"})"
        "\n");
  CHECK(world.Read("SELECT 'NaN'::numeric AS n, 'infinity'::timestamptz AS t") ==
        "{\"n\":\"NaN\",\"t\":\"infinity\"}\n");
  CHECK(Says(world.Fails("SELECT '\\x00'::bytea AS photo"), "encode(photo, 'hex')"));
  CHECK(Says(world.Fails("SELECT 1 AS a, 2 AS a"), "called a"));
}

TEST_CASE("rows come in pages that grow with them, each once and in one snapshot") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.server.Sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 200000) n; GRANT SELECT ON t TO reader");
  auto source = world.Open("SELECT n FROM t ORDER BY n; -- all of them");
  std::string rows;
  uint32_t pages = 0;
  while (true) {
    auto page = source->Next(nullptr);
    REQUIRE_OK(page);
    if (!page->has_value()) break;
    CHECK((*page)->number == ++pages);
    CHECK((*page)->uri == "postgres://localhost:" + std::to_string(world.server.port()) + "/postgres");
    CHECK((*page)->content_type == "application/x-ndjson");
    // What is changed after the first page is of no concern to this run.
    if (pages == 1) world.server.Sql("DELETE FROM t WHERE n > 150");
    auto body = ReadAll(*(*page)->body, 8 << 20);
    REQUIRE_OK(body);
    CHECK(body->size() < size_t{3} << 20);
    rows += *body;
  }
  std::string expected;
  for (int n = 1; n <= 200000; ++n) expected += "{\"n\":" + std::to_string(n) + "}\n";
  CHECK(rows == expected);
  CHECK(pages > 3);
  CHECK(pages < 20);
  CHECK(source->truncated_by().empty());
}

TEST_CASE("the watermark is the parameter of the query") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.server.Sql(
      "CREATE TABLE t AS SELECT n, timestamptz '2026-01-01 00:00Z' + n * interval '1 day' AS at "
      "FROM generate_series(1, 5) n; GRANT SELECT ON t TO reader");
  const std::string query = "SELECT n FROM t WHERE $1::timestamptz IS NULL OR at > $1::timestamptz ORDER BY at";
  world.profile.source.incremental.field = "dims.at";
  CHECK(world.Read(query) == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n");
  world.profile.source.incremental.initial = "2026-01-04T00:00:00Z";
  CHECK(world.Read(query) == "{\"n\":4}\n{\"n\":5}\n");
  world.cursor.set_watermark("2026-01-06T01:00:00+01:00");
  CHECK(world.Read(query).empty());
  world.profile.source.incremental.lookback = absl::Hours(24);
  CHECK(world.Read(query) == "{\"n\":5}\n");
  // A parameter is a value, whatever it says.
  world.profile.source.incremental.format = "text";
  world.cursor.set_watermark("'; DROP TABLE t --");
  CHECK(world.Read("SELECT $1::text AS since") == "{\"since\":\"'; DROP TABLE t --\"}\n");
}

TEST_CASE("nothing but one reading statement is run, whatever the user may do") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.server.Sql(
      "CREATE TABLE t (a int); GRANT ALL ON t TO reader; CREATE SEQUENCE s; GRANT ALL ON SEQUENCE s TO reader");
  const std::vector<std::string> writes = {
      "INSERT INTO t VALUES (1)",
      "INSERT INTO t VALUES (1) RETURNING a",
      "WITH w AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM w",
      "SELECT nextval('s')",
      "SELECT 1; INSERT INTO t VALUES (1)",
      "SELECT 1 INTO u",
      "SELECT * FROM t FOR UPDATE",
      "SELECT set_config('transaction_read_only', 'off', false), nextval('s')",
      "COMMIT",
      "SET TRANSACTION READ WRITE",
      "COPY t TO STDOUT",
      "DO $$ BEGIN INSERT INTO t VALUES (1); END $$",
      "",
  };
  for (const std::string& query : writes) {
    INFO(query);
    CHECK(Reason(world.Fails(query)) == "SOURCE_QUERY");
  }
  CHECK(world.server.Ask("SELECT count(*) FROM t") == "0");
  CHECK(world.server.Ask("SELECT is_called FROM s") == "f");
  CHECK(Says(world.Fails("SELECT b\nFROM t"), "line 1, column 8"));
}

TEST_CASE("the server ends what takes longer than limits.timeout") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.profile.limits.timeout = absl::Milliseconds(300);
  absl::Status late = world.Fails("SELECT pg_sleep(600)");
  CHECK(Reason(late) == "SOURCE_TIMEOUT");
  CHECK(Says(late, "limits.timeout"));
  CHECK(
      world.server.Ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' "
                       "AND pid <> pg_backend_pid()") == "0");
}

TEST_CASE("the address decides where a connection may go, and how") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.profile.source.postgres.tls = "disable";
  CHECK(world.Read("SELECT 1 AS n") == "{\"n\":1}\n");
  world.profile.source.egress_allow = {"db.example.org"};
  CHECK(Reason(world.TryOpen().status()) == "EGRESS_DENIED");
  world.profile.source.egress_allow = {"LOCALHOST"};
  CHECK(world.Read("SELECT 1 AS n") == "{\"n\":1}\n");
  world.http = net::MakeHttpClient(*net::EgressPolicy::Create({"10.0.0.0/8"}));
  absl::Status denied = world.Fails("SELECT 1");
  CHECK(Reason(denied) == "EGRESS_DENIED");
  CHECK(Says(denied, "--egress-allow"));
  // A public address is no reason to send a password unprotected.
  world.profile.source.egress_allow.clear();
  world.profile.source.postgres.host = "93.184.216.34";
  CHECK(Says(world.Fails("SELECT 1"), "tls: disable"));
  world.profile.source.postgres.host = "/var/run/postgresql";
  CHECK(Reason(world.Fails("SELECT 1")) == "SOURCE_UNREACHABLE");
}

TEST_CASE("a wrong password and a missing secret are told apart and asked for once") {
  if (PostgresFixture::Missing()) return;
  World world;
  std::ofstream(world.secrets_dir.File("db/password")) << "wrong secret";
  absl::Status wrong = world.Fails("SELECT 1");
  CHECK(Reason(wrong) == "SOURCE_AUTH");
  CHECK_FALSE(Says(wrong, "wrong secret"));
  CHECK_FALSE(Says(wrong, "attempts"));
  world.profile.source.postgres.password = {"db", "other"};
  CHECK(Reason(world.TryOpen().status()) == "SECRET_NOT_FOUND");
}

TEST_CASE("a server that dies in the middle is a body cut off, and one that is away is tried again") {
  if (PostgresFixture::Missing()) return;
  World world;
  auto source = world.Open("SELECT n, repeat('x', 10000) AS x FROM generate_series(1, 100000) n");
  REQUIRE_OK(source->Next(nullptr));
  auto page = source->Next(nullptr);
  REQUIRE_OK(page);
  world.server.Stop();
  absl::Status cut = world.TryRead(*source).status();
  CHECK(Reason(cut) == "SOURCE_UNREACHABLE");  // no row was read
  auto second = world.Open("SELECT 1 AS n");
  world.profile.retry.max_attempts = 3;
  auto failing = world.Open("SELECT 1 AS n");
  absl::Status away = failing->Next(nullptr).status();
  CHECK(Reason(away) == "SOURCE_UNREACHABLE");
  CHECK(Says(away, "after 3 attempts"));
  world.server.Start();
  CHECK_OK(world.TryRead(*second));

  auto third = world.Open("SELECT n, repeat('x', 10000) AS x FROM generate_series(1, 100000) n");
  auto first = third->Next(nullptr);
  REQUIRE_OK(first);
  REQUIRE_OK((*first)->body->Read());
  world.server.Stop();
  CHECK(Reason(world.TryRead(*third).status()) == "SOURCE_TRUNCATED");
}

TEST_CASE("cancel ends a query and a wait between tries") {
  if (PostgresFixture::Missing()) return;
  World world;
  auto source = world.Open("SELECT pg_sleep(600)");
  std::thread canceller([&] {
    Eventually([&] {
      return world.server.Ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'active'") ==
             "1";
    });
    source->Cancel();
    source->Cancel();
  });
  CHECK(Reason(source->Next(nullptr).status()) == "CANCELLED");
  canceller.join();
  CHECK(Eventually([&] {
    return world.server.Ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'active'") ==
           "0";
  }));
  CHECK(Reason(source->Next(nullptr).status()) == "CANCELLED");
}

TEST_CASE("a run past its time is cut off after a whole row") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.deadline = world.clock.Now() + absl::Seconds(10);
  auto source = world.Open("SELECT n FROM generate_series(1, 1000) n");
  auto first = source->Next(nullptr);
  REQUIRE_OK(first);
  CHECK(ReadAll(*(*first)->body, 1 << 20).value().substr(0, 8) == "{\"n\":1}\n");
  world.clock.Advance(absl::Seconds(10));
  auto next = source->Next(nullptr);
  REQUIRE_OK(next);
  CHECK_FALSE(next->has_value());
  CHECK(source->truncated_by() == "limits.run_timeout");

  world.deadline = world.clock.Now() + absl::Seconds(10);
  auto within = world.Open("SELECT n FROM generate_series(1, 1000) n");
  auto page = within->Next(nullptr);
  REQUIRE_OK(page);
  world.clock.Advance(absl::Seconds(10));
  CHECK(ReadAll(*(*page)->body, 1 << 20).value().empty());
  CHECK(within->truncated_by() == "limits.run_timeout");
}

TEST_CASE("limits.max_bytes cuts off after a whole row") {
  if (PostgresFixture::Missing()) return;
  World world;
  world.profile.limits.max_bytes = 29;
  auto source = world.Open("SELECT n FROM generate_series(1, 1000) n");
  auto rows = world.TryRead(*source);
  REQUIRE_OK(rows);
  CHECK(*rows == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
  CHECK(source->truncated_by() == "limits.max_bytes");
}

}  // namespace
}  // namespace chartly::drone
