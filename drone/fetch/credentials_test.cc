#include "drone/fetch/credentials.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "common/status/status.h"
#include "drone/fetch/source.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::FixtureRequest;
using chartly::testing::FixtureResponse;
using chartly::testing::HttpFixture;
using chartly::testing::TempDir;

constexpr char kSecret[] = "s3cret/with+odd=signs&more";

bool Says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct World {
  World() {
    Write("api", "key", kSecret);
    profile.source.auth.secret = {"api", "key"};
    profile.retry.max_attempts = 1;
    server.Handle("/x", [](const FixtureRequest&) { return FixtureResponse{.body = "data"}; });
    At("/x");
  }
  void Write(const std::string& name, const std::string& key, const std::string& text, mode_t mode = 0600) {
    std::filesystem::create_directories(dir.File(name));
    std::ofstream(dir.File(name + "/" + key)) << text << "\n";
    REQUIRE(::chmod(dir.File(name + "/" + key).c_str(), mode) == 0);
  }
  void At(const std::string& target) { profile.source.url = server.Url(target); }
  absl::StatusOr<std::optional<Page>> Fetch() {
    SourceDeps deps{*http, clock, "", &secrets};
    deps.tokens = &tokens;
    ASSIGN_OR_RETURN(source, OpenSource(profile, deps));
    return source->Next(nullptr);
  }
  FixtureRequest Last() { return server.requests().back(); }

  HttpFixture server;
  TempDir dir;
  Secrets secrets{dir.path()};
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1"}));
  FakeClock clock;
  TokenCache tokens;
  Profile profile;
  std::unique_ptr<Source> source;
};

TEST_CASE("each way to show who asks") {
  World world;
  AuthConfig& auth = world.profile.source.auth;
  auth.type = AuthType::kBearer;
  REQUIRE_OK(world.Fetch());
  CHECK(world.Last().headers["authorization"] == std::string("Bearer ") + kSecret);
  auth.type = AuthType::kBasic;
  auth.username = "me";
  REQUIRE_OK(world.Fetch());
  CHECK(world.Last().headers["authorization"] == "Basic " + absl::Base64Escape(std::string("me:") + kSecret));
  auth.type = AuthType::kHeader;
  REQUIRE_OK(world.Fetch());
  CHECK(world.Last().headers["x-api-key"] == kSecret);
  auth.name = "Authorization";
  auth.prefix = "Token ";
  REQUIRE_OK(world.Fetch());
  CHECK(world.Last().headers["authorization"] == std::string("Token ") + kSecret);
  auth.type = AuthType::kQuery;
  auth.name = "appid";
  auto page = world.Fetch();
  REQUIRE_OK(page);
  CHECK(world.Last().target == "/x?appid=s3cret/with%2Bodd%3Dsigns%26more");
  CHECK((*page)->uri == world.server.Url("/x?appid=[redacted]"));
}

TEST_CASE("a secret that the drone does not have, or everybody may read, is no request") {
  World world;
  world.profile.source.auth.type = AuthType::kBearer;
  world.profile.source.auth.secret = {"other", "key"};
  absl::Status missing = world.Fetch().status();
  CHECK(Reason(missing) == "SECRET_NOT_FOUND");
  CHECK(Says(std::string(missing.message()), world.dir.File("other/key")));
  CHECK(Says(std::string(missing.message()), "CHARTLY_SECRET_OTHER_KEY"));
  world.Write("other", "key", "x", 0644);
  CHECK(Reason(world.Fetch().status()) == "SECRET_EXPOSED");
  world.profile.source.auth.secret = {"../api", "key"};
  CHECK(Reason(world.Fetch().status()) == "SECRET_NOT_FOUND");
  CHECK(world.server.Count() == 0);
  ::setenv("CHARTLY_SECRET_FROM_ENV_A_KEY", "from the environment", 1);
  world.profile.source.auth.secret = {"from-env", "a.key"};
  REQUIRE_OK(world.Fetch());
  ::unsetenv("CHARTLY_SECRET_FROM_ENV_A_KEY");
  CHECK(world.Last().headers["authorization"] == "Bearer from the environment");
}

TEST_CASE("a secret that is rotated is read anew") {
  World world;
  world.profile.source.auth.type = AuthType::kBearer;
  REQUIRE_OK(world.Fetch());
  world.Write("api", "key", "second");
  REQUIRE_OK(world.Fetch());
  CHECK(world.Last().headers["authorization"] == "Bearer second");
}

TEST_CASE("a source that repeats the secret does not get it into an error") {
  World world;
  world.server.Handle("/x", [](const FixtureRequest& request) {
    std::string seen = request.target + " " + request.headers.at("authorization");
    return FixtureResponse{.status = 400, .body = std::string(190, ' ') + seen};
  });
  AuthConfig& auth = world.profile.source.auth;
  for (AuthType type : {AuthType::kBearer, AuthType::kBasic, AuthType::kHeader}) {
    auth.type = type;
    auth.name = "Authorization";
    std::string message = world.Fetch().status().ToString();
    INFO(message);
    CHECK(Says(message, "status 400"));
    CHECK_FALSE(Says(message, "s3c"));
    CHECK_FALSE(Says(message, absl::Base64Escape(std::string(":") + kSecret).substr(0, 8)));
  }
  auth = {.type = AuthType::kQuery, .secret = {"api", "key"}, .name = "appid"};
  world.server.Handle(
      "/x", [](const FixtureRequest& request) { return FixtureResponse{.status = 400, .body = request.target}; });
  std::string message = world.Fetch().status().ToString();
  INFO(message);
  CHECK(Says(message, "[redacted]"));
  CHECK_FALSE(Says(message, "s3cret"));
}

TEST_CASE("credentials are not carried to another origin") {
  World world;
  HttpFixture other;
  other.Map("/y", {.body = "elsewhere"});
  world.server.Handle("/x", [&](const FixtureRequest&) {
    return FixtureResponse{.status = 302, .headers = {{"Location", other.Url("/y")}}};
  });
  AuthConfig& auth = world.profile.source.auth;
  for (AuthType type : {AuthType::kBearer, AuthType::kBasic, AuthType::kHeader, AuthType::kQuery}) {
    auth.type = type;
    auth.name = type == AuthType::kHeader ? "X-Key" : "";
    REQUIRE_OK(world.Fetch());
    FixtureRequest got = other.requests().back();
    CHECK(got.headers.count("authorization") == 0);
    CHECK(got.headers.count("x-key") == 0);
    CHECK(got.target == "/y");
  }
}

// A token server whose tokens can be counted, and a source that takes only the newest.
struct TokenWorld : World {
  TokenWorld() {
    profile.source.auth = {.type = AuthType::kOauth2,
                           .secret = {"api", "key"},
                           .username = "client:1",
                           .token_url = token_server.Url("/token"),
                           .scopes = {"read", "list all"}};
    token_server.Handle("/token", [this](const FixtureRequest&) {
      return FixtureResponse{.body = "{\"access_token\":\"T" + std::to_string(++issued) +
                                     "\",\"token_type\":\"Bearer\",\"expires_in\":600}"};
    });
    server.Handle("/x", [this](const FixtureRequest& request) {
      bool good = request.headers.at("authorization") == "Bearer T" + std::to_string(wanted);
      return FixtureResponse{.status = good ? 200 : 401, .body = request.headers.at("authorization")};
    });
  }
  HttpFixture token_server;
  std::atomic<int> issued = 0;
  std::atomic<int> wanted = 1;
};

TEST_CASE("a token is asked for once, kept until it ends, and asked for anew when it is refused") {
  TokenWorld world;
  REQUIRE_OK(world.Fetch());
  REQUIRE_OK(world.Fetch());
  CHECK(world.issued == 1);
  FixtureRequest asked = world.token_server.requests().at(0);
  CHECK(asked.method == "POST");
  CHECK(asked.body == "grant_type=client_credentials&scope=read%20list%20all");
  CHECK(asked.headers["authorization"] ==
        "Basic " + absl::Base64Escape("client%3A1:s3cret%2Fwith%2Bodd%3Dsigns%26more"));

  world.wanted = 2;
  REQUIRE_OK(world.Fetch());  // refused once, renewed, taken
  CHECK(world.issued == 2);
  world.clock.Advance(absl::Seconds(580));
  world.wanted = 3;
  REQUIRE_OK(world.Fetch());  // the old one would end on its way
  CHECK(world.issued == 3);

  world.wanted = 100;
  int before = world.server.Count();
  absl::Status refused = world.Fetch().status();
  CHECK(Reason(refused) == "SOURCE_AUTH");
  CHECK(world.server.Count() == before + 2);
  CHECK_FALSE(Says(refused.ToString(), "T4"));
}

TEST_CASE("no token is an error that says why and shows nothing") {
  TokenWorld world;
  world.token_server.Handle("/token", [](const FixtureRequest& request) {
    return FixtureResponse{.status = 401, .body = request.headers.at("authorization")};
  });
  absl::Status refused = world.Fetch().status();
  CHECK(Reason(refused) == "SOURCE_AUTH");
  CHECK(Says(refused.ToString(), "401"));
  CHECK_FALSE(Says(refused.ToString(), "s3cret"));
  for (const char* body : {"", "no json", "{}", "{\"access_token\":5}"}) {
    world.token_server.Handle("/token", [body](const FixtureRequest&) { return FixtureResponse{.body = body}; });
    CHECK(Reason(world.Fetch().status()) == "SOURCE_AUTH");
  }
  CHECK(world.server.Count() == 0);
}

}  // namespace
}  // namespace chartly::drone
