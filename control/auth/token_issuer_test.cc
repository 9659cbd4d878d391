#include "control/auth/token_issuer.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/jwt/signer_for_test.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

// An issuer whose keys a test changes.
struct World {
  FakeClock clock;
  jwt::SignerForTest signer{jwt::Algorithm::kEs256, "k1"};
  absl::Mutex mu;
  std::string keys = absl::StrCat("{\"keys\":[", signer.Jwk(), "]}");
  bool away = false;
  std::atomic<int> fetches = 0;
  TokenIssuer issuer{Config(), [this] { return Fetch(); }, clock};

  // `claims` are more of them, such as ",\"org\":\"acme\"".
  absl::StatusOr<rpc::Caller> CheckTenant(const std::string& claims) {
    TokenConfig config = Config();
    config.tenant_claim = "org";
    TokenIssuer separate{config, [this] { return Fetch(); }, clock};
    std::string all = Claims("[\"readers\"]");
    all.insert(all.size() - 1, claims);
    return separate.Check(signer.Token(all));
  }

  // The same of projects.
  absl::StatusOr<rpc::Caller> CheckProjects(const std::string& claims) {
    TokenConfig config = Config();
    config.project_claim = "projects";
    TokenIssuer separate{config, [this] { return Fetch(); }, clock};
    std::string all = Claims("[\"readers\"]");
    all.insert(all.size() - 1, claims);
    return separate.Check(signer.Token(all));
  }

  static TokenConfig Config(const std::string& address = "https://issuer.test") {
    TokenConfig config;
    config.issuer = address;
    config.audience = "chartly";
    config.roles = {{"readers", rpc::Role::kViewer}, {"makers", rpc::Role::kPublisher}};
    return config;
  }
  absl::StatusOr<IssuerDocuments> Fetch() {
    ++fetches;
    absl::MutexLock lock(&mu);
    if (away) return absl::UnavailableError("connection refused");
    return IssuerDocuments{*jwt::JsonWebKeys::Parse(keys)};
  }
  void Publish(const jwt::SignerForTest& other) {
    absl::MutexLock lock(&mu);
    keys = absl::StrCat("{\"keys\":[", other.Jwk(), "]}");
  }
  void SetAway(bool is_away) {
    absl::MutexLock lock(&mu);
    away = is_away;
  }
  std::string Claims(const std::string& groups, const std::string& address = "https://issuer.test") {
    return absl::StrCat("{\"iss\":\"", address, "\",\"aud\":\"chartly\",\"sub\":\"ada\",\"groups\":", groups,
                        ",\"exp\":", absl::ToUnixSeconds(clock.Now()) + 1000000, "}");
  }
  absl::StatusOr<rpc::Caller> Check(const jwt::SignerForTest& by, const std::string& groups = "[\"readers\"]") {
    return issuer.Check(by.Token(Claims(groups)));
  }
};

}  // namespace

TEST_CASE("a token is of the tenant that its claim names, and of none without") {
  World world;
  CHECK(world.Check(world.signer)->tenant == "default");
  CHECK(world.CheckTenant(",\"org\":\"acme\"")->tenant == "acme");
  CHECK(world.CheckTenant(",\"org\":[\"acme\"]")->tenant == "acme");
  CHECK(world.CheckTenant(",\"org\":\"default\"")->tenant == "default");
  for (const char* none : {"", ",\"org\":[]", ",\"org\":[\"acme\",\"globex\"]", ",\"org\":\"\"", ",\"org\":\"../acme\"",
                           ",\"org\":{\"acme\":1}", ",\"org\":7"}) {
    INFO(none);
    CHECK(Reason(world.CheckTenant(none).status()) == "TOKEN_TENANT_WRONG");
  }
}

TEST_CASE("a token is bound to the projects that its claim names, and to none only where it says so") {
  World world;
  const auto bound = world.CheckProjects(R"(,"projects":["water","energy"])");
  REQUIRE_OK(bound);
  CHECK(bound->role == rpc::Role::kViewer);
  CHECK(bound->projects == rpc::ProjectScope::BoundTo({"energy", "water"}));
  CHECK(world.CheckProjects(R"(,"projects":"energy")")->projects == rpc::ProjectScope::BoundTo({"energy"}));
  CHECK_FALSE(world.CheckProjects(R"(,"projects":["energy","*"])")->projects.bound());
  for (const char* wrong : {"", R"(,"projects":[])", R"(,"projects":"")", R"(,"projects":["a.b"])", R"(,"projects":7)",
                            R"(,"projects":{"energy":true})"}) {
    INFO(wrong);
    CHECK(Reason(world.CheckProjects(wrong).status()) == "TOKEN_PROJECTS_WRONG");
  }
  // Without the flag a claim of that name means nothing.
  CHECK_FALSE(world.CheckTenant(R"(,"org":"acme","projects":["energy"])")->projects.bound());
}

TEST_CASE("the highest role that the claim is mapped to counts, and none is had for nothing") {
  World world;
  auto caller = world.Check(world.signer, R"(["others","makers","readers"])");
  REQUIRE_OK(caller);
  CHECK(caller->principal == "people/ada");
  CHECK(caller->role == rpc::Role::kPublisher);
  CHECK(caller->kind == rpc::CallerKind::kKey);
  CHECK(world.Check(world.signer, "\"readers\"")->role == rpc::Role::kViewer);
  for (const char* nothing : {"[]", "\"admin\"", "[\"Makers\"]", "{\"makers\":true}", "null"}) {
    CHECK(world.Check(world.signer, nothing)->role == rpc::Role::kNone);
  }
  CHECK(world.fetches == 1);
}

TEST_CASE("a rotated key is found with the first token that names it, and the old one is good no more") {
  World world;
  REQUIRE_OK(world.Check(world.signer));
  jwt::SignerForTest next(jwt::Algorithm::kRs256, "k2");
  world.Publish(next);
  CHECK(Reason(world.Check(next).status()) == "TOKEN_KEY_UNKNOWN");  // asked a moment ago
  world.clock.Advance(IssuerKeys::kMinInterval);
  CHECK_OK(world.Check(next).status());
  CHECK(Reason(world.Check(world.signer).status()) == "TOKEN_KEY_UNKNOWN");
}

TEST_CASE("a clock that was set back does not keep anybody from asking the issuer") {
  World world;
  REQUIRE_OK(world.Check(world.signer));
  world.clock.Advance(-absl::Hours(3));
  jwt::SignerForTest next(jwt::Algorithm::kRs256, "k2");
  world.Publish(next);
  CHECK(Reason(world.Check(next).status()) == "TOKEN_KEY_UNKNOWN");  // asked a moment ago
  world.clock.Advance(IssuerKeys::kMinInterval);
  CHECK_OK(world.Check(next).status());
}

TEST_CASE("a flood of tokens that name unknown keys asks the issuer once in a while") {
  World world;
  REQUIRE_OK(world.Check(world.signer));
  std::vector<std::thread> threads;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&world, &refused, i] {
      for (int j = 0; j < 500; ++j) {
        const std::string header = absl::StrCat(R"({"alg":"ES256","kid":")", i, "-", j, "\"}");
        const std::string token = world.signer.Signed(header, world.Claims("[]"));
        if (Reason(world.issuer.Check(token).status()) == "TOKEN_KEY_UNKNOWN") ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(refused == 4000);
  CHECK(world.fetches == 1);
  CHECK_OK(world.Check(world.signer).status());
}

TEST_CASE("while the issuer is away its keys serve for a day, and without any nobody can tell") {
  World world;
  world.SetAway(true);
  CHECK(Reason(world.Check(world.signer).status()) == "ISSUER_UNREACHABLE");
  world.SetAway(false);
  world.clock.Advance(IssuerKeys::kMinInterval);
  REQUIRE_OK(world.Check(world.signer));
  world.SetAway(true);
  world.clock.Advance(IssuerKeys::kStale - absl::Seconds(1));
  CHECK_OK(world.Check(world.signer).status());
  world.clock.Advance(absl::Seconds(10));
  CHECK(Reason(world.Check(world.signer).status()) == "ISSUER_UNREACHABLE");
}

TEST_CASE("keys are found over the description of the issuer, which has to be that issuer") {
  testing::HttpFixture server;
  jwt::SignerForTest signer(jwt::Algorithm::kEs256, "k1");
  FakeClock clock;
  const std::string address = server.Url("");
  const auto describe = [&](const std::string& issuer, const std::string& keys) {
    server.Map("/.well-known/openid-configuration",
               {.body = absl::StrCat("{\"issuer\":\"", issuer, "\",\"jwks_uri\":\"", keys, "\"}")});
  };
  server.Map("/keys", {.body = absl::StrCat("{\"keys\":[", signer.Jwk(), "]}")});
  auto http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  std::atomic<bool> cancel = false;
  const IssuerKeys::Fetch fetch = FetchFrom(address, *http, cancel);
  describe(address, server.Url("/keys"));
  auto documents = fetch();
  REQUIRE_OK(documents);
  CHECK(documents->keys.Has("k1"));
  describe("https://other.test", server.Url("/keys"));
  CHECK(Reason(fetch().status()) == "ISSUER_WRONG");
  describe(address, "file:///etc/passwd");
  CHECK(Reason(fetch().status()) == "ISSUER_WRONG");
  describe(address, server.Url("/absent"));
  CHECK(Reason(fetch().status()) == "ISSUER_UNREACHABLE");
  server.Map("/keys", {.body = "<html>"});
  describe(address, server.Url("/keys"));
  CHECK(Reason(fetch().status()) == "KEYS_MALFORMED");
}

TEST_CASE("the places where people sign in are taken from the description, if they are places for that") {
  testing::HttpFixture server;
  jwt::SignerForTest signer(jwt::Algorithm::kEs256, "k1");
  auto http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  std::atomic<bool> cancel = false;
  server.Map("/keys", {.body = absl::StrCat("{\"keys\":[", signer.Jwk(), "]}")});
  const auto describe = [&](const std::string& more) {
    const std::string issuer = server.Url("");
    server.Map("/.well-known/openid-configuration",
               {.body = absl::StrCat("{\"issuer\":\"", issuer, "\",\"jwks_uri\":\"", issuer, "/keys\"", more, "}")});
    auto documents = FetchFrom(issuer, *http, cancel)();
    REQUIRE_OK(documents);
    return documents->description;
  };
  jwt::IssuerDescription found = describe(R"(,"authorization_endpoint":"https://a.test/x","token_endpoint":"ftp://t")");
  CHECK(found.authorization_address == "https://a.test/x");
  CHECK(found.token_address.empty());
  CHECK(found.takes_basic);
  found = describe(R"(,"token_endpoint_auth_methods_supported":["client_secret_post"],"authorization_endpoint":7)");
  CHECK(found.authorization_address.empty());
  CHECK_FALSE(found.takes_basic);
  CHECK(describe(R"(,"token_endpoint_auth_methods_supported":["private_key_jwt","client_secret_basic"])").takes_basic);
}

TEST_CASE("an issuer without https, audience or roles is refused at the start") {
  FakeClock clock;
  const auto reason = [&](const TokenConfig& config) { return Reason(TokenIssuer::Create(config, clock).status()); };
  CHECK(reason(World::Config()) == "");
  CHECK(reason(World::Config("http://127.0.0.1:8080/realm")) == "");
  CHECK(reason(World::Config("http://issuer.test")) == "ISSUER_INVALID");
  CHECK(reason(World::Config("http://127.0.0.1.evil.test")) == "ISSUER_INVALID");
  TokenConfig config = World::Config();
  config.audience.clear();
  CHECK(reason(config) == "ISSUER_INVALID");
  config = World::Config();
  config.roles.clear();
  CHECK(reason(config) == "ISSUER_INVALID");
}

}  // namespace chartly::auth
