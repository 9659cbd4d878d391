#include "control/auth/issuer_sign_in.h"

#include <atomic>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "common/jwt/signer_for_test.h"
#include "common/net/url.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

constexpr char kIssuer[] = "https://issuer.test";

SignInConfig Config(const std::string& url = "https://chartly.test") { return {"page", "", url, {"groups"}}; }

// The issuer and a browser that walks between it and us.
struct World {
  FakeClock clock;
  jwt::SignerForTest signer{jwt::Algorithm::kEs256, "k1"};
  std::string authorization = "https://issuer.test/authorize?realm=main";
  TokenIssuer issuer{Tokens(), [this] { return Documents(); }, clock};
  std::unique_ptr<IssuerSignIn> sign_in = *IssuerSignIn::Create(
      Config(), issuer, [this](const auto&, const CodeGrant& grant) { return Exchange(grant); }, clock);
  std::map<std::string, std::string> asked;                  // of the address that the browser was sent to
  std::vector<std::pair<std::string, std::string>> changes;  // of the claims
  std::atomic<int> exchanges = 0;

  static TokenConfig Tokens() {
    TokenConfig config;
    config.issuer = kIssuer;
    config.audience = "chartly";
    config.roles = {{"readers", rpc::Role::kViewer}};
    config.tenant_claim = "org";
    return config;
  }
  absl::StatusOr<IssuerDocuments> Documents() {
    jwt::IssuerDescription description{kIssuer, "https://issuer.test/keys", authorization, "https://issuer.test/token"};
    return IssuerDocuments{*jwt::JsonWebKeys::Parse(absl::StrCat("{\"keys\":[", signer.Jwk(), "]}")), description};
  }
  absl::StatusOr<std::string> Exchange(const CodeGrant& grant) {
    ++exchanges;
    // As the issuer does: the verifier has to be what the browser was sent with the hash of.
    const std::string challenge = jwt::Base64UrlEncode(rpc::AsText(rpc::DigestOf(grant.verifier.Reveal())));
    CHECK(challenge == asked["code_challenge"]);
    CHECK(grant.redirect_url == "https://chartly.test/api/session/oidc:callback");
    const std::string claims = absl::StrCat(
        R"({"iss":"https://issuer.test","aud":"page","sub":"ada","org":"acme","groups":["readers"],"nonce":")",
        asked["nonce"], "\",\"exp\":", absl::ToUnixSeconds(clock.Now()) + 60, "}");
    return signer.Token(absl::StrReplaceAll(claims, changes));
  }
  // Begins; gives what a good issuer sends back.
  IssuerSignIn::Brought Walk(const std::string& path = "") {
    auto begun = sign_in->Begin(path);
    REQUIRE_OK(begun);
    const std::pair<std::string, std::string> parts = absl::StrSplit(begun->location, absl::MaxSplits('?', 1));
    asked.clear();
    for (absl::string_view pair : absl::StrSplit(parts.second, '&')) {
      const std::pair<std::string, std::string> named = absl::StrSplit(pair, absl::MaxSplits('=', 1));
      asked[named.first] = net::UnescapeQuery(named.second);
    }
    return {begun->ticket, asked["state"], Secret("code"), "", ""};
  }
  std::string Refusal(const IssuerSignIn::Brought& brought) { return Reason(sign_in->Finish(brought).status()); }
  // With changed claims.
  std::string RefusalOf(std::vector<std::pair<std::string, std::string>> changed) {
    changes = std::move(changed);
    return Refusal(Walk());
  }
};

}  // namespace

TEST_CASE("a browser is sent to the issuer with all that binds its answer, and who comes back has role and tenant") {
  World world;
  const IssuerSignIn::Brought brought = world.Walk("/#p=fx");
  CHECK(world.asked["realm"] == "main");
  CHECK(world.asked["response_type"] == "code");
  CHECK(world.asked["client_id"] == "page");
  CHECK(world.asked["scope"] == "openid groups");
  CHECK(world.asked["code_challenge_method"] == "S256");
  CHECK(world.asked["redirect_uri"] == "https://chartly.test/api/session/oidc:callback");
  auto person = world.sign_in->Finish(brought);
  REQUIRE_OK(person);
  CHECK(person->caller.principal == "people/ada");
  CHECK(person->caller.role == rpc::Role::kViewer);
  CHECK(person->caller.tenant == "acme");
  CHECK(person->location == "https://chartly.test/#p=fx");
  CHECK(world.sign_in->IssuerHost() == "issuer.test");
}

TEST_CASE("what does not belong to the sign-in of this browser reaches nobody") {
  World world;
  const IssuerSignIn::Brought first = world.Walk();
  IssuerSignIn::Brought second = world.Walk();
  IssuerSignIn::Brought mixed = second;
  mixed.state = first.state;
  CHECK(world.Refusal(mixed) == "SIGN_IN_STATE_WRONG");
  mixed.state.clear();
  CHECK(world.Refusal(mixed) == "SIGN_IN_STATE_WRONG");
  mixed = second;
  mixed.ticket = Secret();
  CHECK(world.Refusal(mixed) == "SIGN_IN_NOT_BEGUN");
  CHECK(world.exchanges == 0);
  CHECK_OK(world.sign_in->Finish(second).status());
  CHECK(world.Refusal(second) == "SIGN_IN_REPLAYED");
  CHECK(world.exchanges == 1);
  IssuerSignIn::Brought late = world.Walk();
  world.clock.Advance(SignInTickets::kLife);
  CHECK(world.Refusal(late) == "SIGN_IN_EXPIRED");
  CHECK(world.exchanges == 1);
}

TEST_CASE("a refusal of the issuer, another issuer, or no code ends the sign-in without an exchange") {
  World world;
  IssuerSignIn::Brought brought = world.Walk();
  brought.error = "access_denied";
  const absl::Status refused = world.sign_in->Finish(brought).status();
  CHECK(Reason(refused) == "SIGN_IN_REFUSED");
  CHECK(testing::Says(refused, "access_denied"));
  brought.error.clear();
  CHECK(world.Refusal(brought) == "SIGN_IN_REPLAYED");
  brought = world.Walk();
  brought.error = "<script>alert(1)</script>";
  CHECK_FALSE(testing::Says(world.sign_in->Finish(brought).status(), "script"));
  brought = world.Walk();
  brought.issuer = "https://another.test";
  CHECK(world.Refusal(brought) == "ISSUER_WRONG");
  brought = world.Walk();
  brought.code = Secret();
  CHECK(world.Refusal(brought) == "SIGN_IN_CODE_MISSING");
  CHECK(world.exchanges == 0);
  brought = world.Walk();
  brought.issuer = kIssuer;
  CHECK_OK(world.sign_in->Finish(brought).status());
}

TEST_CASE("an ID token counts for this client, this question and now") {
  World world;
  CHECK(world.RefusalOf({{"\"nonce\":\"", "\"nonce\":\"x"}}) == "TOKEN_NONCE_WRONG");
  CHECK(world.RefusalOf({{"\"nonce\"", "\"once\""}}) == "TOKEN_NONCE_WRONG");
  CHECK(world.RefusalOf({{"\"page\"", "\"chartly\""}}) == "TOKEN_AUDIENCE_WRONG");
  CHECK(world.RefusalOf({{"\"page\"", "[\"page\",\"other\"]"}}) == "TOKEN_PARTY_WRONG");
  CHECK(world.RefusalOf({{"\"page\"", "[\"page\",\"other\"],\"azp\":\"page\""}}).empty());
  CHECK(world.RefusalOf({{"\"page\"", "\"page\",\"azp\":\"other\""}}) == "TOKEN_PARTY_WRONG");
  CHECK(world.RefusalOf({{"\"page\"", "\"page\",\"azp\":7"}}) == "TOKEN_PARTY_WRONG");
  CHECK(world.RefusalOf({{"https://issuer.test", "https://another.test"}}) == "TOKEN_ISSUER_WRONG");
  CHECK(world.RefusalOf({{"\"exp\":", "\"exp\":1,\"was\":"}}) == "TOKEN_EXPIRED");
  CHECK(world.RefusalOf({{"\"org\":\"acme\",", ""}}) == "TOKEN_TENANT_WRONG");
  world.changes = {{"readers", "strangers"}};
  CHECK(world.sign_in->Finish(world.Walk())->caller.role == rpc::Role::kNone);
}

TEST_CASE("a browser is sent back to a path of this origin alone") {
  World world;
  for (const char* path :
       {"//evil.test", "https://evil.test", "evil.test", "/\\evil.test", "\\/evil.test", "/a b",
        "/a\r\nSet-Cookie: x=y", "/\tx", "/api/keys", "javascript:alert(1)", "@evil.test", ".evil.test", "/\xc3\xa9"}) {
    INFO(path);
    CHECK(Reason(world.sign_in->Begin(path).status()) == "RETURN_PATH_INVALID");
  }
  CHECK(Reason(world.sign_in->Begin("/" + std::string(512, 'x')).status()) == "RETURN_PATH_INVALID");
  CHECK_OK(world.sign_in->Begin("/" + std::string(511, 'x')).status());
  CHECK(world.sign_in->Finish(world.Walk("/x/..//evil.test"))->location == "https://chartly.test/x/..//evil.test");
}

TEST_CASE("an issuer that names no place for people sends nobody anywhere") {
  World world;
  for (const char* place : {"", "javascript:alert(1)", "https://issuer.test/a\r\nSet-Cookie: x=y"}) {
    world.authorization = place;
    world.clock.Advance(IssuerKeys::kStale);
    CHECK(Reason(world.sign_in->Begin("").status()) == "ISSUER_WRONG");
  }
}

TEST_CASE("a bounded number of people is waited for, and the others come back with the same ticket") {
  World world;
  absl::Notification go;
  std::atomic<int> waiting = 0;
  auto slow = IssuerSignIn::Create(
      Config(), world.issuer,
      [&](const auto&, const CodeGrant&) -> absl::StatusOr<std::string> {
        ++waiting;
        go.WaitForNotification();
        return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE", "away");
      },
      world.clock);
  REQUIRE_OK(slow);
  const auto bring = [&]() -> IssuerSignIn::Brought {
    auto begun = (*slow)->Begin("");
    const std::string state = begun->location.substr(begun->location.find("&state=") + 7, 43);
    return {begun->ticket, state, Secret("code"), "", ""};
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < IssuerSignIn::kMaxUnderWay; ++i) {
    threads.emplace_back([&, brought = bring()] { (*slow)->Finish(brought).IgnoreError(); });
  }
  CHECK(testing::Eventually([&] { return waiting == IssuerSignIn::kMaxUnderWay; }));
  const IssuerSignIn::Brought more = bring();
  CHECK(Reason((*slow)->Finish(more).status()) == "SIGN_IN_BUSY");
  go.Notify();
  for (std::thread& thread : threads) thread.join();
  CHECK(Reason((*slow)->Finish(more).status()) == "ISSUER_UNREACHABLE");
}

TEST_CASE("an address that is not this page, or is open to everybody on the way, is refused at the start") {
  World world;
  const auto reason = [&](const std::string& url) {
    return Reason(IssuerSignIn::Create(Config(url), world.issuer, CodeExchange(), world.clock).status());
  };
  for (const char* good : {"https://chartly.test", "https://chartly.test:8443/", "http://127.0.0.1:8090",
                           "http://localhost:8090", "http://[::1]:8090"}) {
    CHECK(reason(good).empty());
  }
  for (const char* bad : {"", "chartly.test", "http://chartly.test", "https://chartly.test/path",
                          "https://chartly.test?x=y", "https://a@chartly.test", "http://127.0.0.1.evil.test"}) {
    INFO(bad);
    CHECK(reason(bad) == "SIGN_IN_INVALID");
  }
  SignInConfig config = Config();
  config.secret_file = "/absent/secret";
  CHECK(Reason(IssuerSignIn::Create(config, world.issuer, CodeExchange(), world.clock).status()) ==
        "CLIENT_SECRET_INVALID");
}

}  // namespace chartly::auth
