#include "common/rpc/credential_directory.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/authenticator.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::rpc {
namespace {

// An auth part whose answer a test chooses.
struct Answering {
  FakeClock clock;
  absl::StatusOr<Caller> answer = Good();
  int asked = 0;
  PeerCredentialDirectory directory{
      {[this](absl::string_view, const KeyDigest&) { return Ask("key"); },
       [this](const KeyDigest&) { return Ask("session"); }, [this](absl::string_view) { return Ask("token"); },
       [this](const DroneIdentity&) { return Ask("drone"); }},
      clock};
  std::string last;

  absl::StatusOr<Caller> Ask(const char* what) {
    ++asked;
    last = what;
    return answer;
  }
  static Caller Good() {
    Caller caller;
    caller.kind = CallerKind::kKey;
    caller.principal = "keys/ci";
    caller.role = Role::kOperator;
    return caller;
  }
  absl::StatusOr<Caller> Check(const std::string& key) { return directory.CheckKey("ci", DigestOf(key)); }
};

}  // namespace

TEST_CASE("an answer serves for five seconds, so that a revoked key is refused at most that much later") {
  Answering auth;
  CHECK_OK(auth.Check("k").status());
  auth.answer = Error(absl::StatusCode::kUnauthenticated, "API_KEY_REVOKED", "revoked");
  auth.clock.Advance(PeerCredentialDirectory::kFresh - absl::Milliseconds(1));
  CHECK_OK(auth.Check("k").status());
  CHECK(auth.asked == 1);
  auth.clock.Advance(absl::Milliseconds(1));
  CHECK(Reason(auth.Check("k").status()) == "API_KEY_REVOKED");
  CHECK(auth.asked == 2);
}

TEST_CASE("while the auth part is away, good keys serve for a minute and no others") {
  Answering auth;
  CHECK_OK(auth.Check("good").status());
  auth.answer = absl::UnavailableError("connection refused");
  auth.clock.Advance(absl::Seconds(30));
  auto known = auth.Check("good");
  REQUIRE_OK(known);
  CHECK(known->principal == "keys/ci");
  CHECK(Reason(auth.Check("other").status()) == "CREDENTIALS_UNREACHABLE");
  auth.clock.Advance(absl::Seconds(31));
  CHECK(Reason(auth.Check("good").status()) == "CREDENTIALS_UNREACHABLE");
}

TEST_CASE("a part whose own key is refused does not take that for a verdict on its caller") {
  Answering auth;
  auth.answer = Error(absl::StatusCode::kUnauthenticated, "API_KEY_REQUIRED", "a key, please");
  CHECK(Reason(auth.Check("k").status()) == "CREDENTIALS_UNREACHABLE");
}

TEST_CASE("guesses do not grow the memory of answers") {
  Answering auth;
  auth.answer = UnknownKey();
  for (size_t i = 0; i < 3 * PeerCredentialDirectory::kMaxEntries; ++i) {
    CHECK(Reason(auth.Check(absl::StrCat("guess ", i)).status()) == "API_KEY_UNKNOWN");
    REQUIRE(auth.directory.size() <= PeerCredentialDirectory::kMaxEntries);
  }
  auth.answer = Answering::Good();
  CHECK_OK(auth.Check("good").status());
}

TEST_CASE("a key of the deployment is never looked up, a key that carries an id is, and any other is unknown") {
  Answering auth;
  KeyAuthenticator authenticator{{{"admin", "chk_0123456789"}}};
  authenticator.SetDirectory(auth.directory);
  auto admin = authenticator.Authenticate({.api_key = "chk_0123456789", .identity = ""});
  REQUIRE_OK(admin);
  CHECK(admin->kind == CallerKind::kDeployment);
  CHECK(Reason(authenticator.Authenticate({.api_key = "chk_ci_short", .identity = ""}).status()) == "API_KEY_UNKNOWN");
  CHECK(auth.asked == 0);
  auto key = MakeKey("ci");
  REQUIRE_OK(key);
  auto caller = authenticator.Authenticate({.api_key = *key, .identity = ""});
  REQUIRE_OK(caller);
  CHECK(caller->principal == "keys/ci");
  CHECK(auth.asked == 1);
}

TEST_CASE("what a caller shows is looked up as what its text says that it is") {
  Answering auth;
  KeyAuthenticator authenticator{{{"admin", "chk_0123456789"}}};
  authenticator.SetDirectory(auth.directory);
  auto session = MakeSessionToken();
  REQUIRE_OK(session);
  CHECK_OK(authenticator.Authenticate({.api_key = *session, .identity = ""}).status());
  CHECK(auth.last == "session");
  CHECK_OK(authenticator.Authenticate({.api_key = "eyJhbGciOiJFUzI1NiJ9.e30.AA", .identity = ""}).status());
  CHECK(auth.last == "token");
  for (const char* neither : {"chs_short", "eyJ.only-one-dot", "a.b.c", "eyJ.a.b.c"}) {
    CHECK(Reason(authenticator.Authenticate({.api_key = neither, .identity = ""}).status()) == "API_KEY_UNKNOWN");
  }
  CHECK(auth.asked == 2);
}

TEST_CASE("a new key carries its id, and no two are the same") {
  auto first = MakeKey("ci-1");
  auto second = MakeKey("ci-1");
  REQUIRE_OK(first);
  REQUIRE_OK(second);
  CHECK(*first != *second);
  CHECK(KeyIdOf(*first) == "ci-1");
  CHECK(KeyIdOf(*MakeKey("")) == "");
  CHECK(KeyIdOf("chk_ci-1_") == "");
  CHECK(KeyIdOf("chk_../etc_" + std::string(64, '0')) == "");
}

}  // namespace chartly::rpc
