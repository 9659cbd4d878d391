#include "control/auth/session_book.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/rpc/credential_directory.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

// Sessions over keys that a test gives and takes.
struct Sessions {
  testing::TempDir dir;
  FakeClock clock;
  std::map<std::string, rpc::Caller> keys;  // by key
  std::unique_ptr<StateStore> store;
  std::unique_ptr<SessionBook> book;

  Sessions() { Open(); }
  void Open(const std::string& issuer = "https://issuer.test") {
    book.reset();
    store.reset();
    auto opened = OpenEmbeddedStateStore(dir.File("auth"), clock);
    REQUIRE_OK(opened);
    store = *std::move(opened);
    auto read = SessionBook::Open(
        *store, {absl::Hours(1), absl::Hours(12), issuer},
        [this](absl::string_view, const rpc::KeyDigest& digest) -> absl::StatusOr<rpc::Caller> {
          for (const auto& [key, caller] : keys) {
            if (rpc::DigestOf(key) == digest) return caller;
          }
          return rpc::UnknownKey();
        },
        clock);
    REQUIRE_OK(read);
    book = *std::move(read);
  }
  void Give(const std::string& key, rpc::CallerKind kind = rpc::CallerKind::kKey) {
    rpc::Caller& caller = keys[key];
    caller.kind = kind;
    caller.principal = "keys/" + key;
    caller.role = rpc::Role::kOperator;
  }
  std::string Begin(const std::string& key) {
    auto session = book->Begin(key);
    REQUIRE_OK(session);
    return session->token();
  }
  absl::StatusOr<rpc::Caller> Check(const std::string& token) { return book->Check(rpc::DigestOf(token)); }
};

}  // namespace

TEST_CASE("a session is whoever has its key, outlives a restart, and lies in the store only as a hash") {
  Sessions sessions;
  sessions.Give("k");
  const std::string token = sessions.Begin("k");
  CHECK(rpc::IsSessionToken(token));
  for (int i = 0; i < 2; ++i) {
    auto caller = sessions.Check(token);
    REQUIRE_OK(caller);
    CHECK(caller->principal == "keys/k");
    CHECK(caller->role == rpc::Role::kOperator);
    CHECK_FALSE(caller->session.empty());
    sessions.Open();
  }
  auto entries = sessions.store->Range("");
  REQUIRE_OK(entries);
  for (const StateEntry& entry : *entries) {
    CHECK(absl::StrCat(entry.key, entry.value).find(token.substr(4)) == std::string::npos);
  }
  CHECK(Reason(sessions.Check(token.substr(0, token.size() - 1)).status()) == "SESSION_ENDED");
  CHECK(Reason(sessions.book->Begin(token).status()) == "API_KEY_UNKNOWN");
}

TEST_CASE("a session ends with its key, by hand, unused, and at last by itself") {
  Sessions sessions;
  sessions.Give("k");
  sessions.Give("other");
  const std::string revoked = sessions.Begin("other");
  sessions.keys.erase("other");
  CHECK(Reason(sessions.Check(revoked).status()) == "SESSION_ENDED");

  const std::string left = sessions.Begin("k");
  auto caller = sessions.Check(left);
  REQUIRE_OK(caller);
  CHECK_OK(sessions.book->End(*caller));
  CHECK(Reason(sessions.Check(left).status()) == "SESSION_ENDED");
  CHECK_OK(sessions.book->End(*caller));
  sessions.Open();
  CHECK(Reason(sessions.Check(left).status()) == "SESSION_ENDED");

  const std::string unused = sessions.Begin("k");
  const std::string used = sessions.Begin("k");
  for (int half_hours = 1; half_hours < 24; ++half_hours) {
    sessions.clock.Advance(absl::Minutes(30));
    if (half_hours % 7 == 0) sessions.Open();
    CHECK_OK(sessions.Check(used).status());
  }
  CHECK(Reason(sessions.Check(unused).status()) == "SESSION_ENDED");
  sessions.clock.Advance(absl::Minutes(30));
  CHECK(Reason(sessions.Check(used).status()) == "SESSION_ENDED");
}

TEST_CASE("a browser with the key of the deployment is neither a drone nor a part of the control plane") {
  Sessions sessions;
  sessions.Give("admin", rpc::CallerKind::kDeployment);
  auto caller = sessions.Check(sessions.Begin("admin"));
  REQUIRE_OK(caller);
  CHECK(caller->kind == rpc::CallerKind::kKey);
}

TEST_CASE("a person of the issuer has role and tenant as they were, until that issuer is no longer ours") {
  Sessions sessions;
  rpc::Caller person;
  person.principal = "people/ada";
  person.role = rpc::Role::kPublisher;
  person.tenant = "acme";
  auto begun = sessions.book->BeginFor(person);
  REQUIRE_OK(begun);
  CHECK(begun->principal() == "people/ada");
  const std::string token = begun->token();
  for (int i = 0; i < 2; ++i) {
    auto caller = sessions.Check(token);
    REQUIRE_OK(caller);
    CHECK(caller->principal == "people/ada");
    CHECK(caller->role == rpc::Role::kPublisher);
    CHECK(caller->tenant == "acme");
    CHECK(caller->kind == rpc::CallerKind::kKey);
    CHECK(sessions.book->Describe(*caller)->tenant() == "acme");
    sessions.Open();
  }
  sessions.Open("https://another.test");
  CHECK(Reason(sessions.Check(token).status()) == "SESSION_ENDED");
  sessions.Open("");
  CHECK(Reason(sessions.Check(token).status()) == "SESSION_ENDED");
  sessions.Open();
  CHECK_OK(sessions.book->End(*sessions.Check(token)));
  CHECK(Reason(sessions.Check(token).status()) == "SESSION_ENDED");
}

TEST_CASE("the session of a bound person is bound as they were, and is nobody's to who knows no projects") {
  Sessions sessions;
  rpc::Caller person;
  person.principal = "people/ada";
  person.role = rpc::Role::kPublisher;
  person.projects = rpc::ProjectScope::BoundTo({"energy", "water"});
  const auto begun = sessions.book->BeginFor(person);
  REQUIRE_OK(begun);
  CHECK(begun->projects_size() == 2);
  sessions.Open();
  const auto caller = sessions.Check(begun->token());
  REQUIRE_OK(caller);
  CHECK(caller->role == rpc::Role::kPublisher);
  CHECK(caller->projects == person.projects);
  const auto stored = sessions.store->Range("session/");
  REQUIRE_OK(stored);
  storage::v1::StoredSession session;
  REQUIRE(session.ParseFromString(stored->at(0).value));
  CHECK(session.person().role() == "none");
}

TEST_CASE("a call without a session has none to tell of or to end") {
  Sessions sessions;
  CHECK(Reason(sessions.book->Describe({}).status()) == "NOT_SIGNED_IN");
  CHECK(Reason(sessions.book->End({})) == "NOT_SIGNED_IN");
}

TEST_CASE("the sessions of one key are bounded, and the one that was used the longest ago gives way") {
  Sessions sessions;
  sessions.Give("k");
  const std::string first = sessions.Begin("k");
  sessions.clock.Advance(absl::Seconds(1));
  const std::string second = sessions.Begin("k");
  for (size_t i = 2; i < SessionBook::kMaxOfOneKey; ++i) sessions.Begin("k");
  CHECK_OK(sessions.Check(first).status());
  sessions.Begin("k");
  CHECK(Reason(sessions.Check(first).status()) == "SESSION_ENDED");
  CHECK_OK(sessions.Check(second).status());
}

}  // namespace chartly::auth
