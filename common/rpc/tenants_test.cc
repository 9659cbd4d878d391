#include "common/rpc/tenants.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "chartly/v1/releases.grpc.pb.h"
#include "common/rpc/credential_directory.h"
#include "common/rpc/drone_identity.h"
#include "common/rpc/guard.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "test/support/test.h"

namespace chartly::rpc {
namespace {

struct Core {
  explicit Core(std::string of) : tenant(std::move(of)) {}
  absl::Status Start() {
    ++starts;
    return absl::OkStatus();
  }
  void Shutdown() { ++ends; }
  std::string Health() const { return fault; }
  const std::string tenant;
  std::atomic<int> starts{0};
  std::atomic<int> ends{0};
  std::string fault;
};

Caller In(const std::string& tenant) {
  Caller caller;
  caller.tenant = tenant;
  return caller;
}

// Knows the keys of two tenants.
class TwoTenants final : public CredentialDirectory {
 public:
  absl::StatusOr<Caller> CheckKey(absl::string_view key_id, const KeyDigest&) override {
    const size_t dot = key_id.find('.');
    if (dot == key_id.npos) return UnknownKey();
    Caller caller;
    caller.kind = CallerKind::kKey;
    caller.role = Role::kAdmin;
    caller.principal = absl::StrCat("keys/", key_id);
    caller.tenant = std::string(key_id.substr(0, dot));
    return caller;
  }
  absl::StatusOr<Caller> CheckSession(const KeyDigest&) override { return UnknownKey(); }
  absl::StatusOr<Caller> CheckToken(absl::string_view) override { return UnknownKey(); }
  absl::StatusOr<Caller> CheckDrone(const DroneIdentity&) override { return UnknownKey(); }
};

// Answers with the tenant whose core it found.
class TellTenant final : public v1::ReleasesService::Service {
 public:
  TellTenant(Tenants<Core>& tenants, TenantDoor* door, const Authenticator& authenticator)
      : tenants_(tenants), guard_("chartly.v1.ReleasesService", authenticator, nullptr, door) {}
  grpc::Status GetDeployment(grpc::ServerContext* context, const v1::GetDeploymentRequest* request,
                             v1::Deployment* response) override {
    return guard_.Unary(context, "GetDeployment", *request, response,
                        [&](const Caller& caller) -> absl::StatusOr<v1::Deployment> {
                          v1::Deployment deployment;
                          deployment.set_opened_by(tenants_.Of(caller).tenant);
                          return deployment;
                        });
  }

 private:
  Tenants<Core>& tenants_;
  const Guard guard_;
};

struct Served {
  explicit Served(bool separates = true) : service(tenants, separates ? &tenants : nullptr, authenticator) {
    authenticator.SetDirectory(directory);
    REQUIRE_OK(tenants.Open({}));
    server.Listen("127.0.0.1:0");
    server.AddService(&service);
    REQUIRE_OK(server.Start());
    address = absl::StrCat("127.0.0.1:", server.ports()[0]);
  }
  ~Served() { server.Shutdown(absl::Seconds(1)); }

  // The tenant that answered, or the reason of the refusal.
  std::string Ask(const std::shared_ptr<grpc::Channel>& channel, const std::string& key = "",
                  const std::vector<std::string>& told = {}) {
    grpc::ClientContext context;
    Prepare(context, absl::Seconds(10));
    if (!key.empty()) context.AddMetadata(kApiKeyMetadata, key);
    for (const std::string& tenant : told) context.AddMetadata(kTenantMetadata, tenant);
    v1::GetDeploymentRequest request;
    request.set_name("deployments/x");
    v1::Deployment answer;
    const absl::Status status =
        FromGrpcStatus(v1::ReleasesService::NewStub(channel)->GetDeployment(&context, request, &answer));
    return status.ok() ? answer.opened_by() : Reason(status);
  }

  TwoTenants directory;
  KeyAuthenticator authenticator{{{"admin", "a-key-of-the-admin"}, {"registry-key", "another-key", Role::kPublisher}}};
  Tenants<Core> tenants{[](const std::string& tenant) -> absl::StatusOr<std::unique_ptr<Core>> {
    return std::make_unique<Core>(tenant);
  }};
  TellTenant service;
  RpcServer server;
  std::string address;
};

std::string KeyOf(const std::string& tenant) { return *MakeKey(KeyIdIn(tenant, "k")); }

}  // namespace

TEST_CASE("a tenant is made once, however many ask for it at once, and started if the others are") {
  std::atomic<int> made{0};
  Tenants<Core> tenants([&](const std::string& tenant) -> absl::StatusOr<std::unique_ptr<Core>> {
    ++made;
    return std::make_unique<Core>(tenant);
  });
  REQUIRE_OK(tenants.Open({"acme"}));
  CHECK(made == 2);
  CHECK(tenants.Of(In("acme")).starts == 0);
  REQUIRE_OK(tenants.Start());
  CHECK(tenants.Of(In("acme")).starts == 1);
  std::vector<absl::Status> admitted(8);
  std::vector<std::string> named(admitted.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < admitted.size(); ++i) {
    threads.emplace_back([&, i] {
      admitted[i] = tenants.Admit("globex");
      named[i] = tenants.Of(In("globex")).tenant;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : admitted) CHECK_OK(status);
  CHECK(named == std::vector<std::string>(admitted.size(), "globex"));
  CHECK(made == 3);
  CHECK(tenants.Of(In("globex")).starts == 1);
  CHECK(tenants.Find("nobody") == nullptr);
  tenants.Of(In("globex")).fault = "it is full";
  CHECK(tenants.Health() == "tenant globex: it is full");
  tenants.Shutdown();
  CHECK(tenants.own().ends == 1);
  CHECK(tenants.Of(In("globex")).ends == 1);
  CHECK(Reason(tenants.Admit("late")) == "SHUTTING_DOWN");
}

TEST_CASE("there are only so many tenants in a part, and one that cannot be made is told why and tried again") {
  bool broken = true;
  Tenants<Core> tenants([&](const std::string& tenant) -> absl::StatusOr<std::unique_ptr<Core>> {
    if (broken && tenant == "t0") return absl::DataLossError("its state is damaged");
    return std::make_unique<Core>(tenant);
  });
  REQUIRE_OK(tenants.Open({}));
  CHECK(tenants.Admit("t0").message() == "its state is damaged");
  broken = false;
  for (size_t i = 0; i < kMaxTenants; ++i) CHECK_OK(tenants.Admit(absl::StrCat("t", i)));
  CHECK(Reason(tenants.Admit("one-more")) == "TENANTS_TOO_MANY");
  CHECK_OK(tenants.Admit("t3"));
}

TEST_CASE("a service that does not separate tenants refuses every other one than the default one") {
  Served served(false);
  auto channel = MakeChannel(served.address, "");
  CHECK(served.Ask(channel, KeyOf("acme")) == "TENANT_NOT_SERVED");
  CHECK(served.Ask(channel, "a-key-of-the-admin") == "default");
  CHECK(served.Ask(channel, "a-key-of-the-admin", {"acme"}) == "TENANT_NOT_SERVED");
}

TEST_CASE("only the admin key of the deployment may name another tenant than its own") {
  Served served;
  auto channel = MakeChannel(served.address, "");
  CHECK(served.Ask(channel, KeyOf("acme")) == "acme");
  CHECK(served.Ask(channel, KeyOf("acme"), {"acme"}) == "acme");
  for (const char* told : {"globex", "default", "", "../x", "ACME"}) {
    INFO(told);
    CHECK(served.Ask(channel, KeyOf("acme"), {told}) == "TENANT_NOT_YOURS");
  }
  CHECK(served.Ask(channel, "", {"acme"}) == "TENANT_NOT_YOURS");
  CHECK(served.Ask(channel, "another-key", {"acme"}) == "TENANT_NOT_YOURS");
  CHECK(served.Ask(channel, "a-key-of-the-admin", {"acme"}) == "acme");
  CHECK(served.Ask(channel, "a-key-of-the-admin", {"acme", "globex"}) == "TENANT_NOT_YOURS");
  CHECK(served.Ask(channel, "a-key-of-the-admin", {"not a tenant"}) == "TENANT_NOT_YOURS");
}

TEST_CASE("parts call for a tenant in-process and over the network") {
  Served served;
  Peers local({}, "a-key-of-the-admin");
  local.SetLocal(Part::kReleases, served.server);
  Peers remote({{Part::kReleases, served.address}}, "a-key-of-the-admin");
  for (const Peers* peers : {&local, &remote}) {
    CHECK(served.Ask(peers->Channel(Part::kReleases)) == "default");
    CHECK(served.Ask(peers->ForTenant("acme").Channel(Part::kReleases)) == "acme");
    CHECK(served.Ask(peers->ForTenant("globex").Channel(Part::kReleases)) == "globex");
    CHECK(served.Ask(peers->Channel(Part::kReleases)) == "default");
    CHECK(&peers->ForTenant("default") == peers);
    CHECK(&peers->ForTenant("acme") == &peers->ForTenant("acme"));
    CHECK(peers->ForTenant("acme").Address(Part::kReleases) == peers->Address(Part::kReleases));
  }
}

TEST_CASE("calls of tenants that take turns on one connection are each answered in their own") {
  Served served;
  auto channel = MakeChannel(served.address, "");
  const std::vector<std::string> tenants = {"acme", "globex", "default"};
  std::map<std::string, std::string> keys = {
      {"acme", KeyOf("acme")}, {"globex", KeyOf("globex")}, {"default", "a-key-of-the-admin"}};
  std::atomic<int> leaks{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 500; ++i) {
        const std::string& tenant = tenants[(i + t) % tenants.size()];
        if (served.Ask(channel, keys[tenant]) != tenant) ++leaks;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(leaks == 0);
}

TEST_CASE("a certificate names the tenant of its drone, and one of the default tenant reads as before") {
  CHECK(UriOf({"d1", "e1"}) == "spiffe://chartly/drone/d1/e1");
  CHECK(UriOf({"d1", "e1", "acme"}) == "spiffe://chartly/tenant/acme/drone/d1/e1");
  for (const char* tenant : {"default", "acme"}) {
    const DroneIdentity read = ParseDroneIdentity(UriOf({"d.1", "e1", tenant}));
    CHECK(read.drone_id == "d.1");
    CHECK(read.enrollment == "e1");
    CHECK(read.tenant == tenant);
  }
  for (const char* none : {"spiffe://chartly/tenant/acme/d1/e1", "spiffe://chartly/tenant//drone/d1/e1",
                           "spiffe://chartly/control", "spiffe://chartly/tenant/a/b/drone/d1/e1",
                           "spiffe://chartly/tenant/acme/drone/d1", "spiffe://other/drone/d1/e1"}) {
    CHECK(ParseDroneIdentity(none).drone_id.empty());
  }
}

TEST_CASE("the id of a key says its tenant, and nothing else than one tenant and one id is one") {
  CHECK(KeyIdIn("default", "ci") == "ci");
  CHECK(KeyIdIn("acme", "ci") == "acme.ci");
  CHECK(KeyIdOf(*MakeKey("acme.ci")) == "acme.ci");
  const std::string secret(64, '0');
  for (const char* none : {".ci", "acme.", "acme.x.ci", "Acme.ci", "a_b"}) {
    INFO(none);
    CHECK(KeyIdOf(absl::StrCat("chk_", none, "_", secret)) == "");
  }
}

}  // namespace chartly::rpc
