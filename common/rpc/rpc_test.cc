#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "chartly/v1/coordinator.pb.h"
#include "chartly/v1/releases.grpc.pb.h"
#include "common/rpc/access.h"
#include "common/rpc/guard.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::rpc {
namespace {

class RecordingSink final : public AuditSink {
 public:
  absl::Status Record(const AuditEntry& entry) override {
    if (down) return absl::UnavailableError("the audit log takes nothing");
    entries.push_back(entry);
    return absl::OkStatus();
  }
  void Refused(const AuditEntry& entry) override { refusals.push_back(entry); }
  bool down = false;
  std::vector<AuditEntry> entries;
  std::vector<AuditEntry> refusals;
};

// The real adapter shape over the smallest logic.
class EchoReleases final : public v1::ReleasesService::Service {
 public:
  EchoReleases(const Authenticator& authenticator, AuditSink* sink)
      : guard_("chartly.v1.ReleasesService", authenticator, sink) {}
  std::atomic<int> shelved = 0;
  grpc::Status GetDeployment(grpc::ServerContext* context, const v1::GetDeploymentRequest* request,
                             v1::Deployment* response) override {
    return guard_.Unary(context, "GetDeployment", *request, response,
                        [&](const Caller& caller) -> absl::StatusOr<v1::Deployment> {
                          if (request->name() == "deployments/none") {
                            return Error(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND", "no such deployment",
                                         {{"name", request->name()}});
                          }
                          v1::Deployment deployment;
                          deployment.set_opened_by(absl::StrCat(caller.principal, "/", caller.request_id));
                          return deployment;
                        });
  }
  grpc::Status ShelveDeployment(grpc::ServerContext* context, const v1::ShelveDeploymentRequest* request,
                                v1::Deployment* response) override {
    return guard_.Unary(context, "ShelveDeployment", *request, response,
                        [&](const Caller&) -> absl::StatusOr<v1::Deployment> {
                          ++shelved;
                          return v1::Deployment();
                        });
  }
  grpc::Status OpenDeployment(grpc::ServerContext* context, const v1::OpenDeploymentRequest* request,
                              v1::Deployment* response) override {
    return guard_.Unary(context, "NoSuchMethod", *request, response,
                        [&](const Caller&) -> absl::StatusOr<v1::Deployment> { return v1::Deployment(); });
  }

 private:
  Guard guard_;
};

struct Fixture {
  KeyAuthenticator authenticator{{{"admin", "a-key-of-the-admin"}, {"unset", ""}}};
  RecordingSink sink;
  EchoReleases service{authenticator, &sink};
  RpcServer server;
  Fixture() {
    server.Listen("127.0.0.1:0");
    server.AddService(&service);
    REQUIRE_OK(server.Start());
  }
  absl::Status Get(const std::shared_ptr<grpc::Channel>& channel, const std::string& name, v1::Deployment& answer) {
    grpc::ClientContext context;
    Prepare(context, absl::Seconds(10), "req-1");
    v1::GetDeploymentRequest request;
    request.set_name(name);
    return FromGrpcStatus(v1::ReleasesService::NewStub(channel)->GetDeployment(&context, request, &answer));
  }
  absl::Status Shelve(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    Prepare(context, absl::Seconds(10));
    v1::ShelveDeploymentRequest request;
    request.set_name("deployments/d1");
    v1::Deployment answer;
    return FromGrpcStatus(v1::ReleasesService::NewStub(channel)->ShelveDeployment(&context, request, &answer));
  }
};

}  // namespace

TEST_CASE("a call carries the key of its channel, in-process and over the network") {
  Fixture fixture;
  std::string address = absl::StrCat("127.0.0.1:", fixture.server.ports()[0]);
  for (const auto& channel :
       {fixture.server.InProcessChannel("a-key-of-the-admin"), MakeChannel(address, "a-key-of-the-admin")}) {
    v1::Deployment answer;
    REQUIRE_OK(fixture.Get(channel, "deployments/d1", answer));
    CHECK(answer.opened_by() == "admin/req-1");
  }
}

TEST_CASE("reads need no key, writes do, and a wrong key is refused for both") {
  Fixture fixture;
  v1::Deployment answer;
  REQUIRE_OK(fixture.Get(fixture.server.InProcessChannel(""), "deployments/d1", answer));
  CHECK(answer.opened_by() == "anonymous/req-1");
  absl::Status anonymous = fixture.Shelve(fixture.server.InProcessChannel(""));
  CHECK(anonymous.code() == absl::StatusCode::kUnauthenticated);
  CHECK(Reason(anonymous) == "API_KEY_REQUIRED");
  CHECK(Reason(fixture.Shelve(fixture.server.InProcessChannel("wrong"))) == "API_KEY_UNKNOWN");
  CHECK(Reason(fixture.Get(fixture.server.InProcessChannel("wrong"), "deployments/d1", answer)) == "API_KEY_UNKNOWN");
  CHECK_OK(fixture.Shelve(fixture.server.InProcessChannel("a-key-of-the-admin")));
}

TEST_CASE("a change is audited before and after with who, what, where and outcome, a read is not") {
  Fixture fixture;
  v1::Deployment answer;
  CHECK_OK(fixture.Get(fixture.server.InProcessChannel(""), "deployments/d1", answer));
  const std::string address = absl::StrCat("127.0.0.1:", fixture.server.ports()[0]);
  CHECK_OK(fixture.Shelve(MakeChannel(address, "a-key-of-the-admin")));
  CHECK_FALSE(fixture.Shelve(fixture.server.InProcessChannel("")).ok());
  REQUIRE(fixture.sink.entries.size() == 2);
  CHECK(fixture.sink.entries[0].outcome == kAuditStarted);
  for (const AuditEntry& entry : fixture.sink.entries) {
    CHECK(entry.actor == "admin");
    CHECK(entry.action == "ReleasesService.ShelveDeployment");
    CHECK(entry.subject == "deployments/d1");
    CHECK(entry.tenant == "default");
    CHECK(entry.address == "127.0.0.1");
  }
  CHECK(fixture.sink.entries[1].outcome == "OK");
  REQUIRE(fixture.sink.refusals.size() == 1);
  CHECK(fixture.sink.refusals[0].actor == "anonymous");
  CHECK(fixture.sink.refusals[0].outcome == "UNAUTHENTICATED");
  CHECK(fixture.sink.refusals[0].address.empty());
}

TEST_CASE("a change that cannot be audited is not made") {
  Fixture fixture;
  fixture.sink.down = true;
  CHECK(absl::IsUnavailable(fixture.Shelve(fixture.server.InProcessChannel("a-key-of-the-admin"))));
  CHECK(fixture.service.shelved == 0);
  v1::Deployment answer;
  CHECK_OK(fixture.Get(fixture.server.InProcessChannel(""), "deployments/d1", answer));
}

TEST_CASE("what a caller from outside says of its address stands beside the address it has") {
  Fixture fixture;
  const auto shelve = [&](const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    Prepare(context, absl::Seconds(10));
    context.AddMetadata(kAddressMetadata, "192.0.2.1");
    v1::ShelveDeploymentRequest request;
    v1::Deployment answer;
    CHECK(v1::ReleasesService::NewStub(channel)->ShelveDeployment(&context, request, &answer).ok());
    return fixture.sink.entries.back().address;
  };
  const std::string address = absl::StrCat("127.0.0.1:", fixture.server.ports()[0]);
  CHECK(shelve(fixture.server.InProcessChannel("a-key-of-the-admin")) == "192.0.2.1");
  CHECK(shelve(MakeChannel(address, "a-key-of-the-admin")) == "192.0.2.1 by 127.0.0.1");
}

TEST_CASE("reason and details of an error arrive at the caller") {
  Fixture fixture;
  v1::Deployment answer;
  absl::Status status = fixture.Get(fixture.server.InProcessChannel(""), "deployments/none", answer);
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(Reason(status) == "DEPLOYMENT_NOT_FOUND");
  CHECK(Details(status).at("name") == "deployments/none");
}

TEST_CASE("a method without an access rule is refused for everyone") {
  Fixture fixture;
  grpc::ClientContext context;
  Prepare(context, absl::Seconds(10));
  v1::Deployment answer;
  auto channel = fixture.server.InProcessChannel("a-key-of-the-admin");
  absl::Status status = FromGrpcStatus(
      v1::ReleasesService::NewStub(channel)->OpenDeployment(&context, v1::OpenDeploymentRequest(), &answer));
  CHECK(Reason(status) == "METHOD_WITHOUT_RULE");
}

TEST_CASE("a port in use is one clear error that names the address") {
  Fixture fixture;
  std::string address = absl::StrCat("127.0.0.1:", fixture.server.ports()[0]);
  RpcServer second;
  second.Listen("127.0.0.1:0");
  second.Listen(address);
  second.AddService(&fixture.service);
  absl::Status status = second.Start();
  CHECK(Reason(status) == "PORT_IN_USE");
  CHECK(std::string(status.message()).find(address) != std::string::npos);
}

TEST_CASE("a key may do what its role may and no more") {
  struct Case {
    v1::Access access;
    Role least;
  };
  for (const Case& each : {Case{v1::ACCESS_VIEWER, Role::kViewer}, Case{v1::ACCESS_OPERATOR, Role::kOperator},
                           Case{v1::ACCESS_PUBLISHER, Role::kPublisher}, Case{v1::ACCESS_ADMIN, Role::kAdmin}}) {
    for (Role role : {Role::kNone, Role::kViewer, Role::kOperator, Role::kPublisher, Role::kAdmin}) {
      INFO(AccessName(each.access) << " for " << RoleName(role));
      Caller caller;
      caller.kind = CallerKind::kKey;
      caller.role = role;
      absl::Status status = CheckAccess(each.access, caller, "M");
      CHECK(status.ok() == (role >= each.least));
      if (!status.ok()) CHECK(Reason(status) == "ROLE_TOO_LOW");
    }
  }
}

TEST_CASE("what is for drones and parts is for no key of a person, however high its role") {
  Caller admin;
  admin.kind = CallerKind::kKey;
  admin.role = Role::kAdmin;
  CHECK(Reason(CheckAccess(v1::ACCESS_DRONE, admin, "M")) == "NOT_FOR_CALLERS");
  CHECK(Reason(CheckAccess(v1::ACCESS_INTERNAL, admin, "M")) == "NOT_FOR_CALLERS");
  Caller registry;
  registry.kind = CallerKind::kDeployment;
  registry.role = Role::kPublisher;
  CHECK_OK(CheckAccess(v1::ACCESS_DRONE, registry, "M"));
  CHECK(Reason(CheckAccess(v1::ACCESS_INTERNAL, registry, "M")) == "NOT_FOR_CALLERS");
}

TEST_CASE("a drone may do what is for drones, as itself alone, and nothing of the ladder") {
  Caller drone;
  drone.kind = CallerKind::kDrone;
  drone.drone_id = "d1";
  CHECK_OK(CheckAccess(v1::ACCESS_DRONE, drone, "M"));
  CHECK(Reason(CheckAccess(v1::ACCESS_VIEWER, drone, "M")) == "ROLE_TOO_LOW");
  CHECK(Reason(CheckAccess(v1::ACCESS_INTERNAL, drone, "M")) == "NOT_FOR_CALLERS");
  CHECK_OK(CheckOwnDrone(drone, "d1"));
  CHECK(Reason(CheckOwnDrone(drone, "d2")) == "NOT_YOUR_DRONE");
  CHECK_OK(CheckOwnDrone(Caller{}, "d2"));
}

TEST_CASE("a drone that is let in and speaks for another is recorded as refused, however the method is called") {
  const KeyAuthenticator authenticator({});
  RecordingSink sink;
  const Guard guard("chartly.v1.CoordinatorService", authenticator, &sink);
  Caller drone;
  drone.kind = CallerKind::kDrone;
  drone.principal = "drones/d1";
  drone.drone_id = "d1";
  v1::HeartbeatRequest beat;
  beat.set_drone_id("d2");
  const absl::Time now = absl::Now();
  for (const char* method : {"Heartbeat", "Attend"}) {
    const auto* request = std::string(method) == "Attend" ? nullptr : &beat;
    CHECK(guard.Finish(method, now, drone, request, absl::OkStatus()).ok());
    CHECK_FALSE(guard.Finish(method, now, drone, request, absl::AbortedError("fenced")).ok());
    CHECK(sink.refusals.empty());
    CHECK_FALSE(guard.Finish(method, now, drone, request, CheckOwnDrone(drone, "d2")).ok());
    REQUIRE(sink.refusals.size() == 1);
    CHECK(sink.refusals[0].actor == "drones/d1");
    CHECK(sink.refusals[0].outcome == "PERMISSION_DENIED");
    sink.refusals.clear();
  }
  CHECK(sink.entries.empty());
}

TEST_CASE("without a role for callers without a key, nothing of the ladder is open to them") {
  KeyAuthenticator closed({{"admin", "a-key-of-the-admin"}}, Role::kNone);
  auto nobody = closed.Authenticate({});
  REQUIRE_OK(nobody);
  CHECK(Reason(CheckAccess(v1::ACCESS_VIEWER, *nobody, "M")) == "API_KEY_REQUIRED");
  CHECK_OK(CheckAccess(v1::ACCESS_PUBLIC, *nobody, "M"));
}

TEST_CASE("a call with two keys is refused, though either would do") {
  Fixture fixture;
  grpc::ClientContext context;
  context.AddMetadata(kApiKeyMetadata, "a-key-of-the-admin");
  context.AddMetadata(kApiKeyMetadata, "a-key-of-the-admin");
  Prepare(context, absl::Seconds(10));
  v1::Deployment answer;
  v1::GetDeploymentRequest request;
  request.set_name("deployments/d1");
  absl::Status status = FromGrpcStatus(
      v1::ReleasesService::NewStub(fixture.server.InProcessChannel(""))->GetDeployment(&context, request, &answer));
  CHECK(Reason(status) == "API_KEY_MALFORMED");
}

TEST_CASE("every method of every service states its access") {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const auto* file = pool->FindFileByName("chartly/v1/options.proto");
  REQUIRE(file != nullptr);
  for (const PartInfo& info : Parts()) {
    if (info.service[0] == '\0') continue;
    const auto* service = pool->FindServiceByName(info.service);
    if (service == nullptr) continue;  // not linked into this test
    for (int i = 0; i < service->method_count(); ++i) {
      INFO(service->method(i)->full_name());
      CHECK(service->method(i)->options().GetExtension(v1::access) != v1::ACCESS_UNSPECIFIED);
    }
  }
}

TEST_CASE("the admin key is made once, kept private, and read again") {
  testing::TempDir dir;
  std::string path = dir.File("admin.key");
  auto made = LoadOrCreateAdminKey(path);
  REQUIRE_OK(made);
  CHECK(made->size() >= 64);
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(*LoadOrCreateAdminKey(path) == *made);
  ::chmod(path.c_str(), 0644);
  CHECK(Reason(LoadOrCreateAdminKey(path).status()) == "KEY_FILE_OPEN");
  ::chmod(path.c_str(), 0640);
  CHECK(Reason(LoadOrCreateAdminKey(path).status()) == "KEY_FILE_OPEN");
}

TEST_CASE("a key file that belongs to another user may be readable by its group and by nobody else") {
  if (::geteuid() != 0) {
    std::cout << "skipped: only root can give a file away\n";
    return;
  }
  testing::TempDir dir;
  std::string path = dir.File("admin.key");
  auto made = LoadOrCreateAdminKey(path);
  REQUIRE_OK(made);
  REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
  ::chmod(path.c_str(), 0440);
  CHECK(*LoadOrCreateAdminKey(path) == *made);
  for (mode_t wider : {0444, 0460}) {
    ::chmod(path.c_str(), wider);
    CHECK(Reason(LoadOrCreateAdminKey(path).status()) == "KEY_FILE_OPEN");
  }
}

}  // namespace chartly::rpc
