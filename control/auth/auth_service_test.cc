#include "control/auth/auth_service.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/auth/auth_component.h"
#include "google/protobuf/util/time_util.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

using google::protobuf::util::TimeUtil;

// Auth behind a real server on a free port; it judges its own callers, as in a deployment.
struct ServedAuth {
  std::string path;
  FakeClock& clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  std::unique_ptr<AuthComponent> component;
  rpc::RpcServer server;
  std::unique_ptr<v1::AuthService::Stub> stub;

  ServedAuth(const std::string& folder, FakeClock& time) : path(folder), clock(time) {
    auto opened = AuthComponent::Open({path}, authenticator, nullptr, clock);
    REQUIRE_OK(opened);
    component = *std::move(opened);
    authenticator.SetDirectory(*component);
    server.Listen("127.0.0.1:0");
    for (grpc::Service* service : component->services()) server.AddService(service);
    REQUIRE_OK(server.Start());
    stub = v1::AuthService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), grpc::InsecureChannelCredentials()));
  }
  ~ServedAuth() { server.Shutdown(absl::Seconds(1)); }

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::AuthService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                              Response*),
                                const Request& request, const std::string& key = "test-key") {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata(rpc::kApiKeyMetadata, key);
    Response response;
    absl::Status status = rpc::FromGrpcStatus((stub.get()->*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  absl::StatusOr<v1::Caller> Who(const std::string& key) {
    return Call(&v1::AuthService::Stub::GetCaller, v1::GetCallerRequest(), key);
  }
  std::string Make(const std::string& id, const std::string& role, const std::string& tenant = "",
                   const std::vector<std::string>& projects = {}) {
    auto issued = Try(id, projects, "test-key", tenant, role);
    REQUIRE_OK(issued);
    return issued->secret();
  }
  absl::StatusOr<v1::IssuedKey> Try(const std::string& id, const std::vector<std::string>& projects,
                                    const std::string& by, const std::string& tenant = "",
                                    const std::string& role = "viewer") {
    v1::CreateKeyRequest request;
    request.set_key_id(id);
    request.set_role(role);
    request.set_tenant(tenant);
    request.mutable_projects()->Assign(projects.begin(), projects.end());
    return Call(&v1::AuthService::Stub::CreateKey, request, by);
  }
  absl::StatusOr<v1::IssuedKey> Rotate(const std::string& id, int overlap_seconds) {
    v1::RotateKeyRequest request;
    request.set_name("keys/" + id);
    request.set_overlap_seconds(overlap_seconds);
    return Call(&v1::AuthService::Stub::RotateKey, request);
  }
  absl::StatusOr<v1::ApiKey> Revoke(const std::string& id) {
    v1::RevokeKeyRequest request;
    request.set_name("keys/" + id);
    return Call(&v1::AuthService::Stub::RevokeKey, request);
  }
  v1::ListKeysResponse List() {
    auto keys = Call(&v1::AuthService::Stub::ListKeys, v1::ListKeysRequest());
    REQUIRE_OK(keys);
    return *keys;
  }
};

}  // namespace

TEST_CASE("a caller learns who it is: anonymous without a key, its principal with one, an error with a wrong one") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  auto nobody = auth.Who("");
  REQUIRE_OK(nobody);
  CHECK(nobody->principal() == "anonymous");
  CHECK_FALSE(nobody->can_write());
  auto admin = auth.Who("test-key");
  REQUIRE_OK(admin);
  CHECK(admin->principal() == "admin");
  CHECK(admin->role() == "admin");
  CHECK(admin->can_write());
  CHECK(admin->tenant() == "default");
  CHECK(Reason(auth.Who("test-kez").status()) == "API_KEY_UNKNOWN");
}

TEST_CASE("a key is who it was made for, also after a restart, and its secret lies nowhere in the store") {
  testing::TempDir dir;
  FakeClock clock;
  std::string secret;
  {
    ServedAuth auth(dir.path(), clock);
    secret = auth.Make("ci", "publisher", "acme");
    CHECK(secret.rfind("chk_acme.ci_", 0) == 0);
    CHECK(secret.size() == 12 + 64);
  }
  ServedAuth auth(dir.path(), clock);
  auto caller = auth.Who(secret);
  REQUIRE_OK(caller);
  CHECK(caller->principal() == "keys/acme.ci");
  CHECK(caller->role() == "publisher");
  CHECK(caller->tenant() == "acme");
  CHECK(auth.List().DebugString().find(secret.substr(12)) == std::string::npos);
  CHECK(Reason(auth.Who(secret.substr(0, secret.size() - 1) + (secret.back() == '0' ? '1' : '0')).status()) ==
        "API_KEY_UNKNOWN");
  CHECK(Reason(auth.Who("chk_other_" + secret.substr(12)).status()) == "API_KEY_UNKNOWN");
}

TEST_CASE("an admin of a tenant has its keys and finds no others, and the default tenant has all") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  const std::string acme = auth.Make("boss", "admin", "acme");
  const std::string globex = auth.Make("boss", "admin", "globex");
  const std::string plain = auth.Make("boss", "viewer");
  CHECK(auth.Who(plain)->tenant() == "default");
  CHECK(auth.Who(globex)->principal() == "keys/globex.boss");
  auto names = [&](const std::string& key) {
    v1::ListKeysRequest request;
    request.set_page_size(1);
    std::vector<std::string> all;
    do {
      auto page = auth.Call(&v1::AuthService::Stub::ListKeys, request, key);
      REQUIRE_OK(page);
      for (const v1::ApiKey& each : page->keys()) all.push_back(each.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  };
  CHECK(names(acme) == std::vector<std::string>{"keys/acme.boss"});
  CHECK(names("test-key") == std::vector<std::string>{"keys/acme.boss", "keys/boss", "keys/globex.boss"});
  // A key of its own comes without saying where; one elsewhere cannot be had, whether there is such a tenant or not.
  v1::CreateKeyRequest request;
  request.set_key_id("second");
  request.set_role("viewer");
  auto made = auth.Call(&v1::AuthService::Stub::CreateKey, request, acme);
  REQUIRE_OK(made);
  CHECK(made->key().name() == "keys/acme.second");
  CHECK(made->key().tenant() == "acme");
  for (const char* elsewhere : {"globex", "default", "nobody"}) {
    request.set_tenant(elsewhere);
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, request, acme).status()) == "TENANT_NOT_YOURS");
    v1::CreateJoinTokenRequest token;
    token.set_tenant(elsewhere);
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateJoinToken, token, acme).status()) == "TENANT_NOT_YOURS");
  }
  // What there is and what there is not reads the same.
  for (const char* id : {"globex.boss", "globex.none", "boss", "none"}) {
    INFO(id);
    v1::RevokeKeyRequest revoke;
    revoke.set_name(absl::StrCat("keys/", id));
    const absl::Status status = auth.Call(&v1::AuthService::Stub::RevokeKey, revoke, acme).status();
    CHECK(status.message() == absl::StrCat("there is no key 'keys/", id, "'"));
    CHECK(Reason(status) == "KEY_NOT_FOUND");
    v1::RotateKeyRequest rotate;
    rotate.set_name(absl::StrCat("keys/", id));
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::RotateKey, rotate, acme).status()) == "KEY_NOT_FOUND");
  }
  CHECK(auth.Who(globex)->role() == "admin");
  CHECK_OK(auth.Revoke("globex.boss").status());
  CHECK(Reason(auth.Who(globex).status()) == "API_KEY_REVOKED");
  CHECK(auth.Who(acme)->role() == "admin");
}

TEST_CASE(
    "a bound key is bound wherever it is asked for, also after a restart, and a part that knows no projects takes it "
    "for nobody") {
  testing::TempDir dir;
  FakeClock clock;
  std::string secret;
  {
    ServedAuth auth(dir.path(), clock);
    secret = auth.Make("ci", "publisher", "", {"water", "energy", "water"});
  }
  ServedAuth auth(dir.path(), clock);
  const auto caller = auth.Who(secret);
  REQUIRE_OK(caller);
  CHECK(caller->role() == "publisher");
  CHECK(std::vector<std::string>(caller->projects().begin(), caller->projects().end()) ==
        std::vector<std::string>{"energy", "water"});
  CHECK(auth.List().keys(0).role() == "publisher");
  CHECK(auth.List().keys(0).projects_size() == 2);
  CHECK(auth.Rotate("ci", 60)->key().role() == "publisher");
  v1::CheckKeyRequest request;
  request.set_key_id("ci");
  request.set_digest(std::string(rpc::AsText(rpc::DigestOf(secret))));
  const auto told = auth.Call(&v1::AuthService::Stub::CheckKey, request);
  REQUIRE_OK(told);
  CHECK(told->role() == "none");
  CHECK(told->bound_role() == "publisher");
  CHECK(told->projects_size() == 2);
}

TEST_CASE("who is bound makes, sees and ends keys of its projects alone") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  const std::string boss = auth.Make("boss", "admin", "", {"energy", "water"});
  for (const char* id : {"a", "b", "c"}) auth.Make(id, "viewer", "", {"waste"});
  auth.Make("wide", "viewer");
  auth.Make("half", "viewer", "", {"water", "waste"});
  auth.Make("boss", "viewer", "acme", {"energy"});  // of another tenant, whose projects are others
  // Its own if it asks for none, part of them, and no more.
  CHECK(auth.Try("same", {}, boss)->key().projects_size() == 2);
  CHECK(auth.Try("part", {"water"}, boss)->key().projects_size() == 1);
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"waste"}, std::vector<std::string>{"energy", "water", "waste"}}) {
    CHECK(Reason(auth.Try("more", more, boss).status()) == "PROJECT_NOT_YOURS");
  }
  CHECK(Reason(auth.Try("there", {"energy"}, boss, "acme").status()) == "PROJECT_NOT_YOURS");
  CHECK(Reason(auth.Try("there", {}, boss, "acme").status()) == "PROJECT_NOT_YOURS");
  CHECK(Reason(auth.Try("none", {"a.b"}, "test-key").status()) == "FIELD_INVALID");

  v1::ListKeysRequest request;
  request.set_page_size(1);
  std::vector<std::string> seen;
  do {
    const auto page = auth.Call(&v1::AuthService::Stub::ListKeys, request, boss);
    REQUIRE_OK(page);
    for (const v1::ApiKey& key : page->keys()) seen.push_back(key.name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  CHECK(seen == std::vector<std::string>{"keys/boss", "keys/part", "keys/same"});
  // What there is and what there is not reads the same.
  for (const char* id : {"a", "wide", "half", "acme.boss", "nobody"}) {
    INFO(id);
    v1::RevokeKeyRequest revoke;
    revoke.set_name(absl::StrCat("keys/", id));
    const absl::Status status = auth.Call(&v1::AuthService::Stub::RevokeKey, revoke, boss).status();
    CHECK(status.message() == absl::StrCat("there is no key 'keys/", id, "'"));
    v1::RotateKeyRequest rotate;
    rotate.set_name(revoke.name());
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::RotateKey, rotate, boss).status()) == "KEY_NOT_FOUND");
  }
  v1::RevokeKeyRequest revoke;
  revoke.set_name("keys/part");
  CHECK(auth.Call(&v1::AuthService::Stub::RevokeKey, revoke, boss)->role() == "viewer");
  // Drones and their tokens are of the whole tenant.
  CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateJoinToken, v1::CreateJoinTokenRequest(), boss).status()) ==
        "PROJECTS_NOT_SERVED");
}

TEST_CASE("join tokens are seen in their own tenant and in the default one") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  const std::string acme = auth.Make("boss", "admin", "acme");
  const std::string globex = auth.Make("boss", "admin", "globex");
  auto token = auth.Call(&v1::AuthService::Stub::CreateJoinToken, v1::CreateJoinTokenRequest(), acme);
  REQUIRE_OK(token);
  CHECK(token->join_token().tenant() == "acme");
  auto count = [&](const std::string& key) {
    auto tokens = auth.Call(&v1::AuthService::Stub::ListJoinTokens, v1::ListJoinTokensRequest(), key);
    REQUIRE_OK(tokens);
    return tokens->join_tokens_size();
  };
  CHECK(count(acme) == 1);
  CHECK(count(globex) == 0);
  CHECK(count("test-key") == 1);
}

TEST_CASE("only an admin makes keys, and nobody but a part asks for the keys of others") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  v1::CreateKeyRequest request;
  request.set_key_id("mine");
  request.set_role("admin");
  for (const char* role : {"viewer", "operator", "publisher"}) {
    const std::string secret = auth.Make(absl::StrCat("a-", role), role);
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, request, secret).status()) == "ROLE_TOO_LOW");
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::ListKeys, v1::ListKeysRequest(), secret).status()) ==
          "ROLE_TOO_LOW");
  }
  const std::string admin = auth.Make("an-admin", "admin");
  CHECK_OK(auth.Call(&v1::AuthService::Stub::CreateKey, request, admin).status());
  CHECK(Reason(auth.Call(&v1::AuthService::Stub::CheckKey, v1::CheckKeyRequest(), admin).status()) ==
        "NOT_FOR_CALLERS");
  CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, request, "").status()) == "API_KEY_REQUIRED");
}

TEST_CASE("a rotated key has two good secrets for the overlap, and then one") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  const std::string first = auth.Make("ci", "operator");
  auto second = auth.Rotate("ci", 3600);
  REQUIRE_OK(second);
  CHECK(second->secret() != first);
  CHECK_OK(auth.Who(first).status());
  CHECK_OK(auth.Who(second->secret()).status());
  clock.Advance(absl::Seconds(3601));
  CHECK(Reason(auth.Who(first).status()) == "API_KEY_UNKNOWN");
  CHECK_OK(auth.Who(second->secret()).status());
}

TEST_CASE("a revoked or expired key is refused, does not come back, and keeps its id") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  const std::string revoked = auth.Make("gone", "viewer");
  CHECK_OK(auth.Who(revoked).status());
  REQUIRE_OK(auth.Revoke("gone"));
  CHECK(Reason(auth.Who(revoked).status()) == "API_KEY_REVOKED");
  CHECK_OK(auth.Revoke("gone").status());
  CHECK(Reason(auth.Rotate("gone", 0).status()) == "KEY_ENDED");
  const std::string old = auth.Make("old", "viewer");
  clock.Advance(KeyBook::kDefaultLife + absl::Seconds(1));
  CHECK(Reason(auth.Who(old).status()) == "API_KEY_EXPIRED");
  v1::CreateKeyRequest again;
  again.set_key_id("gone");
  again.set_role("viewer");
  CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, again).status()) == "KEY_EXISTS");
  CHECK(Reason(auth.Revoke("never").status()) == "KEY_NOT_FOUND");
}

TEST_CASE("the last use of a key is listed to the hour") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  const std::string secret = auth.Make("ci", "viewer");
  CHECK_FALSE(auth.List().keys(0).has_last_use_time());
  clock.Advance(absl::Minutes(90));
  CHECK_OK(auth.Who(secret).status());
  REQUIRE(auth.List().keys(0).has_last_use_time());
  CHECK(TimeUtil::TimestampToSeconds(auth.List().keys(0).last_use_time()) % 3600 == 0);
  const int64_t first = TimeUtil::TimestampToSeconds(auth.List().keys(0).last_use_time());
  clock.Advance(absl::Hours(2));
  CHECK_OK(auth.Who(secret).status());
  CHECK(TimeUtil::TimestampToSeconds(auth.List().keys(0).last_use_time()) == first + 7200);
}

TEST_CASE("what cannot be a key is refused with the field that is wrong") {
  testing::TempDir dir;
  FakeClock clock;
  ServedAuth auth(dir.path(), clock);
  struct Case {
    std::string id, role, tenant, reason;
  };
  for (const Case& each : {Case{"", "viewer", "", "FIELD_INVALID"}, Case{"a_b", "viewer", "", "FIELD_INVALID"},
                           Case{"Upper", "viewer", "", "FIELD_INVALID"}, Case{"ok", "none", "", "FIELD_INVALID"},
                           Case{"ok", "root", "", "ROLE_UNKNOWN"}, Case{"ok", "viewer", "a/b", "FIELD_INVALID"}}) {
    INFO(each.id << " " << each.role << " " << each.tenant);
    v1::CreateKeyRequest request;
    request.set_key_id(each.id);
    request.set_role(each.role);
    request.set_tenant(each.tenant);
    CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, request).status()) == each.reason);
  }
  v1::CreateKeyRequest late;
  late.set_key_id("late");
  late.set_role("viewer");
  *late.mutable_expire_time() = TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(clock.Now() - absl::Seconds(1)));
  CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, late).status()) == "FIELD_INVALID");
  *late.mutable_expire_time() = TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(clock.Now() + absl::Hours(24 * 401)));
  CHECK(Reason(auth.Call(&v1::AuthService::Stub::CreateKey, late).status()) == "FIELD_INVALID");
}

}  // namespace chartly::auth
