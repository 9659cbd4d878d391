// Drones from join token to revocation, over real TLS.
#include "control/auth/drone_book.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/drone_identity.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "common/x509/certificate.h"
#include "control/auth/auth_component.h"
#include "control/auth/control_files_for_test.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

class RecordingSink final : public rpc::AuditSink {
 public:
  absl::Status Record(const rpc::AuditEntry& entry) override {
    if (down) return absl::UnavailableError("the audit log takes nothing");
    entries.push_back(entry);
    return absl::OkStatus();
  }
  void Refused(const rpc::AuditEntry& entry) override { refusals.push_back(entry); }
  bool down = false;
  std::vector<rpc::AuditEntry> entries;
  std::vector<rpc::AuditEntry> refusals;
};

// Auth on a port that takes TLS only, as with --rpc-tls.
struct TlsAuth {
  testing::TempDir dir;
  SystemClock system;
  FakeClock clock{system.Now()};
  RecordingSink sink;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  std::unique_ptr<AuthComponent> component;
  rpc::RpcServer server;

  TlsAuth() {
    auto opened = AuthComponent::Open({dir.path(), "", absl::Hours(24)}, authenticator, &sink, clock);
    REQUIRE_OK(opened);
    component = *std::move(opened);
    authenticator.SetDirectory(*component);
    server.Listen("127.0.0.1:0");
    server.UseTls(WriteControlFilesForTest(dir));
    for (grpc::Service* service : component->services()) server.AddService(service);
    REQUIRE_OK(server.Start());
  }
  ~TlsAuth() { server.Shutdown(absl::Seconds(1)); }

  rpc::TlsFiles Files(const std::string& name, const x509::CertificateTerms& terms, const std::string& authority_dir) {
    return WriteFilesForTest(dir, name, terms, authority_dir);
  }
  std::string Address() const { return absl::StrCat("127.0.0.1:", server.ports()[0]); }
  std::unique_ptr<v1::AuthService::Stub> Stub(const rpc::TlsFiles& files, const std::string& key = "") {
    return v1::AuthService::NewStub(rpc::MakeChannel(Address(), key, files));
  }
  std::unique_ptr<v1::AuthService::Stub> Admin() {
    return v1::AuthService::NewStub(server.InProcessChannel("test-key"));
  }
  std::string Token(const std::string& drone_id = "", const std::string& tenant = "") {
    v1::CreateJoinTokenRequest request;
    request.set_drone_id(drone_id);
    request.set_tenant(tenant);
    v1::IssuedJoinToken issued;
    grpc::ClientContext context;
    REQUIRE_OK(rpc::FromGrpcStatus(Admin()->CreateJoinToken(&context, request, &issued)));
    return issued.secret();
  }
  // The files of the drone once it has joined.
  absl::StatusOr<rpc::TlsFiles> Enroll(const std::string& token, const std::string& drone_id) {
    auto key = x509::MakePrivateKey();
    REQUIRE_OK(key);
    v1::EnrollDroneRequest request;
    request.set_join_token(token);
    request.set_drone_id(drone_id);
    request.set_certificate_request(*x509::MakeRequest(*key));
    v1::DroneCertificate answer;
    grpc::ClientContext context;
    // The gateway hands the request on in-process and without a key.
    auto stub = v1::AuthService::NewStub(server.InProcessChannel(""));
    RETURN_IF_ERROR(rpc::FromGrpcStatus(stub->EnrollDrone(&context, request, &answer)));
    const std::string path = dir.File(absl::StrCat(drone_id, ".pem"));
    RETURN_IF_ERROR(x509::WriteIdentity(path, *key, answer.certificate()));
    return rpc::TlsFiles{dir.File("tls/authority.pem"), path, path};
  }
  absl::StatusOr<v1::Caller> Who(const rpc::TlsFiles& files, const std::string& key = "") {
    v1::Caller caller;
    grpc::ClientContext context;
    rpc::Prepare(context, absl::Seconds(3));
    absl::Status status = rpc::FromGrpcStatus(Stub(files, key)->GetCaller(&context, {}, &caller));
    if (!status.ok()) return status;
    return caller;
  }
  absl::Status Revoke(const std::string& drone_id) {
    v1::RevokeDroneRequest request;
    request.set_name("drones/" + drone_id);
    v1::RevokeDroneResponse response;
    grpc::ClientContext context;
    return rpc::FromGrpcStatus(Admin()->RevokeDrone(&context, request, &response));
  }
};

}  // namespace

TEST_CASE("a drone joins with a token and is who its certificate says") {
  TlsAuth auth;
  auto files = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(files);
  auto caller = auth.Who(*files);
  REQUIRE_OK(caller);
  CHECK(caller->principal() == "drones/d1");
  CHECK(caller->role() == "none");
  REQUIRE(auth.sink.entries.size() >= 2);
  CHECK(auth.sink.entries[auth.sink.entries.size() - 2].outcome == rpc::kAuditStarted);
  CHECK(auth.sink.entries.back().action == "AuthService.EnrollDrone");
  CHECK(absl::StartsWith(auth.sink.entries.back().actor, "joinTokens/"));
  CHECK(auth.sink.entries.back().subject == "drones/d1");
  CHECK(auth.sink.entries.back().outcome == "OK");
}

TEST_CASE("drones of two tenants have the same id and are two, each bound to the tenant of its token") {
  TlsAuth auth;
  const std::vector<std::string> tenants = {"default", "acme", "globex"};
  std::map<std::string, rpc::TlsFiles> files;
  for (const std::string& tenant : tenants) {
    auto joined = auth.Enroll(auth.Token("", tenant), "d1");
    REQUIRE_OK(joined);
    // The next one of that id writes where this one lies.
    const std::string kept = auth.dir.File(tenant + ".pem");
    std::filesystem::copy_file(joined->certificate, kept);
    files[tenant] = {joined->authority, kept, kept};
    CHECK(auth.sink.entries.back().tenant == tenant);
  }
  for (const std::string& tenant : tenants) {
    auto caller = auth.Who(files[tenant]);
    REQUIRE_OK(caller);
    CHECK(caller->principal() == "drones/d1");
    CHECK(caller->tenant() == tenant);
  }
  // The id is taken in each tenant for itself.
  CHECK(Reason(auth.Enroll(auth.Token("", "acme"), "d1").status()) == "DRONE_ENROLLED");
  REQUIRE_OK(auth.Enroll(auth.Token("", "acme"), "d2"));
  // The default tenant revokes its own and no other.
  REQUIRE_OK(auth.Revoke("d1"));
  CHECK(Reason(auth.Who(files["default"]).status()) == "DRONE_REVOKED");
  CHECK(auth.Who(files["acme"])->tenant() == "acme");
  for (const char* none : {"d2", "acme/d1", "acme/d2", "nobody"}) {
    INFO(none);
    CHECK(Reason(auth.Revoke(none)) == "DRONE_NOT_ENROLLED");
  }
  // Renewed, it is the same one in the same tenant.
  v1::RenewDroneRequest request;
  auto key = x509::MakePrivateKey();
  REQUIRE_OK(key);
  request.set_certificate_request(*x509::MakeRequest(*key));
  v1::DroneCertificate renewed;
  grpc::ClientContext context;
  REQUIRE_OK(rpc::FromGrpcStatus(auth.Stub(files["acme"])->RenewDrone(&context, request, &renewed)));
  const std::string path = auth.dir.File("renewed.pem");
  REQUIRE_OK(x509::WriteIdentity(path, *key, renewed.certificate()));
  CHECK(auth.Who({files["acme"].authority, path, path})->tenant() == "acme");
}

TEST_CASE("a join token that is used twice is refused, and the audit log tells who tried") {
  TlsAuth auth;
  const std::string token = auth.Token();
  REQUIRE_OK(auth.Enroll(token, "d1"));
  CHECK(Reason(auth.Enroll(token, "d2").status()) == "JOIN_TOKEN_USED");
  REQUIRE(!auth.sink.refusals.empty());
  CHECK(auth.sink.refusals.back().subject == "drones/d2");
  CHECK(auth.sink.refusals.back().outcome == "UNAUTHENTICATED JOIN_TOKEN_USED");
  CHECK(Reason(auth.Enroll(token, "d1").status()) == "JOIN_TOKEN_USED");
}

TEST_CASE("while the audit log takes nothing no drone joins, and its token stays good") {
  TlsAuth auth;
  const std::string token = auth.Token();
  auth.sink.down = true;
  CHECK(absl::IsUnavailable(auth.Enroll(token, "d1").status()));
  auth.sink.down = false;
  CHECK_OK(auth.Enroll(token, "d1").status());
}

TEST_CASE("a token is good for its time, its drone and its secret alone") {
  TlsAuth auth;
  const std::string bound = auth.Token("d1");
  CHECK(Reason(auth.Enroll(bound, "d2").status()) == "JOIN_TOKEN_OF_OTHER_DRONE");
  CHECK(Reason(auth.Enroll(bound + "0", "d1").status()) == "JOIN_TOKEN_UNKNOWN");
  CHECK(Reason(auth.Enroll("chj_0_0_0", "d1").status()) == "JOIN_TOKEN_UNKNOWN");
  CHECK(Reason(auth.Enroll(bound, "../d1").status()) == "FIELD_INVALID");
  auth.clock.Advance(DroneBook::kDefaultTokenLife);
  CHECK(Reason(auth.Enroll(bound, "d1").status()) == "JOIN_TOKEN_EXPIRED");
}

TEST_CASE("a drone that is in loses its place only to a token for it by name, and then to nobody else") {
  TlsAuth auth;
  auto first = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(first);
  const rpc::TlsFiles copy{first->authority, auth.dir.File("copy.pem"), auth.dir.File("copy.pem")};
  std::filesystem::copy_file(first->certificate, copy.certificate);
  CHECK(Reason(auth.Enroll(auth.Token(), "d1").status()) == "DRONE_ENROLLED");
  auto second = auth.Enroll(auth.Token("d1"), "d1");
  REQUIRE_OK(second);
  CHECK_OK(auth.Who(*second).status());
  CHECK(Reason(auth.Who(copy).status()) == "DRONE_REPLACED");
}

TEST_CASE("a revoked drone is refused at once, and joins again only with a new token") {
  TlsAuth auth;
  auto files = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(files);
  REQUIRE_OK(auth.Revoke("d1"));
  CHECK(Reason(auth.Who(*files).status()) == "DRONE_REVOKED");
  CHECK(Reason(auth.Revoke("never")) == "DRONE_NOT_ENROLLED");
  auto again = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(again);
  CHECK_OK(auth.Who(*again).status());
}

TEST_CASE("a certificate that ended is refused also on a connection that was open before") {
  TlsAuth auth;
  auto files = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(files);
  auto stub = auth.Stub(*files);
  auto ask = [&] {
    v1::Caller caller;
    grpc::ClientContext context;
    rpc::Prepare(context, absl::Seconds(3));
    return rpc::FromGrpcStatus(stub->GetCaller(&context, {}, &caller));
  };
  CHECK_OK(ask());
  auth.clock.Advance(absl::Hours(25));
  CHECK(Reason(ask()) == "DRONE_EXPIRED");
}

TEST_CASE("a drone does what is for drones, for itself, and nothing else") {
  TlsAuth auth;
  auto files = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(files);
  auto stub = auth.Stub(*files);
  grpc::ClientContext list_context;
  v1::ListKeysResponse keys;
  CHECK(Reason(rpc::FromGrpcStatus(stub->ListKeys(&list_context, {}, &keys))) == "ROLE_TOO_LOW");
  auto key = x509::MakePrivateKey();
  REQUIRE_OK(key);
  v1::RenewDroneRequest request;
  request.set_certificate_request(*x509::MakeRequest(*key));
  v1::DroneCertificate renewed;
  grpc::ClientContext context;
  REQUIRE_OK(rpc::FromGrpcStatus(stub->RenewDrone(&context, request, &renewed)));
  auto facts = x509::ReadCertificate(renewed.certificate());
  REQUIRE_OK(facts);
  CHECK(facts->uri.find("/drone/d1/") != std::string::npos);
}

TEST_CASE("a TLS port takes no plaintext and no certificate of another authority") {
  TlsAuth auth;
  CHECK(absl::IsUnavailable(auth.Who({}, "test-key").status()));
  testing::TempDir elsewhere;
  x509::CertificateTerms terms;
  terms.uri = "spiffe://chartly/drone/d1/e1";
  terms.not_before = auth.system.Now();
  terms.not_after = auth.system.Now() + absl::Hours(1);
  const rpc::TlsFiles foreign = auth.Files("foreign.pem", terms, elsewhere.path());
  CHECK(absl::IsUnavailable(auth.Who(foreign, "test-key").status()));
  terms.not_before = auth.system.Now() - absl::Hours(3);
  terms.not_after = auth.system.Now() - absl::Hours(1);
  CHECK(absl::IsUnavailable(auth.Who(auth.Files("past.pem", terms, auth.dir.File("tls")), "test-key").status()));
}

TEST_CASE("a drone takes no server for the control plane that shows the certificate of a drone") {
  TlsAuth auth;
  auto files = auth.Enroll(auth.Token(), "d1");
  REQUIRE_OK(files);
  rpc::RpcServer impostor;
  impostor.Listen("127.0.0.1:0");
  impostor.UseTls(*files);
  for (grpc::Service* service : auth.component->services()) impostor.AddService(service);
  REQUIRE_OK(impostor.Start());
  auto stub = v1::AuthService::NewStub(rpc::MakeChannel(absl::StrCat("127.0.0.1:", impostor.ports()[0]), "", *files));
  v1::Caller caller;
  grpc::ClientContext context;
  rpc::Prepare(context, absl::Seconds(3));
  CHECK(absl::IsUnavailable(rpc::FromGrpcStatus(stub->GetCaller(&context, {}, &caller))));
  impostor.Shutdown(absl::Seconds(1));
}

TEST_CASE("who is known from a certificate of the authority alone is not let in") {
  TlsAuth auth;
  x509::CertificateTerms terms;
  terms.uri = "spiffe://chartly/drone/d9/e9";
  terms.not_before = auth.system.Now();
  terms.not_after = auth.system.Now() + absl::Hours(1);
  CHECK(Reason(auth.Who(auth.Files("d9.pem", terms, auth.dir.File("tls"))).status()) == "DRONE_UNKNOWN");
}

TEST_CASE("tokens and drones outlive a restart, and no secret of a token is stored") {
  testing::TempDir dir;
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  auto key = x509::MakePrivateKey();
  REQUIRE_OK(key);
  v1::EnrollDroneRequest request;
  request.set_drone_id("d1");
  request.set_certificate_request(*x509::MakeRequest(*key));
  auto open = [&](const std::unique_ptr<StateStore>& store) {
    auto authority = x509::Authority::LoadOrCreate(dir.File("tls"), clock.Now());
    REQUIRE_OK(authority);
    auto book = DroneBook::Open(*store, *authority, absl::Hours(24), clock);
    REQUIRE_OK(book);
    return *std::move(book);
  };
  {
    auto store = OpenEmbeddedStateStore(dir.File("auth"), clock);
    REQUIRE_OK(store);
    auto issued = open(*store)->CreateToken({}, {});
    REQUIRE_OK(issued);
    request.set_join_token(issued->secret());
    absl::StatusOr<std::vector<StateEntry>> tokens = (*store)->Range("token/");
    REQUIRE_OK(tokens);
    CHECK_FALSE(tokens->empty());
    for (const StateEntry& entry : *tokens) {
      CHECK(entry.value.find(issued->secret().substr(21, 64)) == std::string::npos);
    }
  }
  auto store = OpenEmbeddedStateStore(dir.File("auth"), clock);
  REQUIRE_OK(store);
  REQUIRE_OK(open(*store)->Enroll(request));
  CHECK(Reason(open(*store)->Enroll(request).status()) == "JOIN_TOKEN_USED");
  CHECK(open(*store)->ListTokens({}).join_tokens_size() == 0);
}

}  // namespace chartly::auth
