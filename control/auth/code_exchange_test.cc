#include "control/auth/code_exchange.h"

#include <sys/stat.h>

#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

// A token endpoint that answers as the test says.
struct Issuer {
  testing::HttpFixture server;
  testing::TempDir dir;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  std::atomic<bool> cancel = false;
  jwt::IssuerDescription description;

  Issuer() {
    description.issuer = server.Url("");
    description.token_address = server.Url("/token");
    Answer(200, R"({"id_token":"a.b.c","access_token":"x"})");
  }
  void Answer(int status, const std::string& body) { server.Map("/token", {.status = status, .body = body}); }
  std::string Secret(const std::string& text, mode_t mode = 0600) {
    const std::string path = dir.File("secret");
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  absl::StatusOr<std::string> Exchange(const std::string& secret_file = "") {
    const CodeGrant grant{chartly::Secret("co+de"), chartly::Secret("veri-fier"), "https://chartly.test/cb"};
    return ExchangeOver(*http, cancel, "the:client", secret_file)(description, grant);
  }
  testing::FixtureRequest Last() const { return server.requests().back(); }
};

}  // namespace

TEST_CASE("a public client names itself and shows the verifier") {
  Issuer issuer;
  CHECK(issuer.Exchange().value() == "a.b.c");
  CHECK(issuer.Last().method == "POST");
  CHECK(issuer.Last().headers["content-type"] == "application/x-www-form-urlencoded");
  CHECK(issuer.Last().headers.count("authorization") == 0);
  CHECK(issuer.Last().body ==
        "grant_type=authorization_code&code=co%2Bde&redirect_uri=https://chartly.test/cb&code_verifier=veri-fier"
        "&client_id=the:client");
}

TEST_CASE("a secret is shown as the issuer takes it, and a renewed one with the next sign-in") {
  Issuer issuer;
  const std::string path = issuer.Secret("first&secret\n");
  REQUIRE_OK(issuer.Exchange(path));
  CHECK(issuer.Last().headers["authorization"] == "Basic " + absl::Base64Escape("the:client:first%26secret"));
  CHECK_FALSE(absl::StrContains(issuer.Last().body, "secret"));
  issuer.Secret("second");
  issuer.description.takes_basic = false;
  REQUIRE_OK(issuer.Exchange(path));
  CHECK(issuer.Last().headers.count("authorization") == 0);
  CHECK(absl::EndsWith(issuer.Last().body, "&client_id=the:client&client_secret=second"));
}

TEST_CASE("a secret that is absent, empty, too long or open to everybody is not shown to anybody") {
  Issuer issuer;
  CHECK(Reason(issuer.Exchange(issuer.dir.File("absent")).status()) == "CLIENT_SECRET_INVALID");
  CHECK(Reason(issuer.Exchange(issuer.Secret("\n")).status()) == "CLIENT_SECRET_INVALID");
  CHECK(Reason(issuer.Exchange(issuer.Secret(std::string(4097, 'x'))).status()) == "CLIENT_SECRET_INVALID");
  CHECK(Reason(issuer.Exchange(issuer.Secret("open", 0644)).status()) == "CLIENT_SECRET_INVALID");
  CHECK(issuer.server.Count() == 0);
}

TEST_CASE("what the issuer says decides whose turn it is, and nothing secret is in any error") {
  Issuer issuer;
  const std::string path = issuer.Secret("the-secret");
  struct Case {
    int status;
    std::string body, reason;
  };
  for (const Case& each :
       {Case{400, R"({"error":"invalid_grant"})", "SIGN_IN_CODE_REFUSED"},
        Case{401, R"({"error":"invalid_client"})", "ISSUER_CLIENT_REFUSED"}, Case{401, "", "ISSUER_CLIENT_REFUSED"},
        Case{400, R"({"error":"<b>co+de</b>"})", "ISSUER_ANSWER_INVALID"}, Case{503, "", "ISSUER_UNREACHABLE"},
        Case{302, "", "ISSUER_ANSWER_INVALID"}, Case{200, "{}", "ISSUER_ANSWER_INVALID"},
        Case{200, "<html>", "ISSUER_ANSWER_INVALID"}, Case{200, R"({"id_token":7})", "ISSUER_ANSWER_INVALID"},
        Case{200, R"({"id_token":"a","id_token":"b"})", "ISSUER_ANSWER_INVALID"},
        Case{200, std::string(100000, ' '), "ISSUER_UNREACHABLE"}}) {
    INFO(each.status << " " << each.body.substr(0, 50));
    issuer.Answer(each.status, each.body);
    const absl::Status status = issuer.Exchange(path).status();
    CHECK(Reason(status) == each.reason);
    for (const char* secret : {"the-secret", "co+de", "veri-fier"}) CHECK_FALSE(testing::Says(status, secret));
  }
  issuer.description.token_address.clear();
  CHECK(Reason(issuer.Exchange().status()) == "ISSUER_WRONG");
  issuer.description.token_address = "http://127.0.0.1:1/token";
  CHECK(Reason(issuer.Exchange().status()) == "ISSUER_UNREACHABLE");
}

}  // namespace chartly::auth
