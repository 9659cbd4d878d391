#include <vector>

#include "absl/strings/str_cat.h"
#include "chartly/v1/audit.pb.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/releases/releases_component.h"
#include "test/support/test.h"

namespace chartly::releases {
namespace {

// Takes what could be sent to the audit log: texts on the wire are UTF-8.
class WireSink final : public rpc::AuditSink {
 public:
  absl::Status Record(const rpc::AuditEntry& entry) override {
    v1::AuditEvent sent, arrived;
    sent.set_detail(entry.detail);
    if (!arrived.ParseFromString(sent.SerializeAsString())) return absl::UnavailableError("not recorded");
    if (!arrived.detail().empty()) details.push_back(arrived.detail());
    return absl::OkStatus();
  }
  void Refused(const rpc::AuditEntry&) override {}

  std::vector<std::string> details;
};

}  // namespace

TEST_CASE("drift is recorded however long its texts are, in any script") {
  for (int begin = 0; begin < 3; ++begin) {
    testing::TempDir dir;
    FakeClock clock;
    WireSink sink;
    rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
    auto component = ReleasesComponent::Open({dir.path()}, authenticator, &sink, clock);
    REQUIRE_OK(component);
    rpc::RpcServer server;
    server.Listen("127.0.0.1:0");
    for (grpc::Service* service : (*component)->services()) server.AddService(service);
    REQUIRE_OK(server.Start());
    auto stub = v1::ReleasesService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), grpc::InsecureChannelCredentials()));
    v1::ReportDriftRequest report;
    report.set_name("environments/dev");
    report.set_commit(std::string(40, 'a'));
    v1::DriftFinding& finding = *report.add_findings();
    finding.set_object("ConfigMap/chartly");
    finding.set_kind("changed");
    finding.set_detail(std::string(static_cast<size_t>(begin), 'x'));
    for (int i = 0; i < 100; ++i) finding.mutable_detail()->append("変");
    grpc::ClientContext context;
    context.AddMetadata(rpc::kApiKeyMetadata, "test-key");
    v1::Environment environment;
    REQUIRE_OK(rpc::FromGrpcStatus(stub->ReportDrift(&context, report, &environment)));
    CHECK(environment.drift_count() == 1);
    REQUIRE(sink.details.size() == 1);
    CHECK(sink.details[0].find("ConfigMap/chartly changed: ") != std::string::npos);
    (*component)->Shutdown();
    server.Shutdown(absl::Seconds(1));
  }
}

TEST_CASE("a deployment is opened and concluded over the wire, with a key only") {
  testing::TempDir dir;
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  auto component = ReleasesComponent::Open({dir.path()}, authenticator, nullptr, clock);
  REQUIRE_OK(component);
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  REQUIRE_OK(server.Start());
  auto stub = v1::ReleasesService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), grpc::InsecureChannelCredentials()));
  v1::OpenDeploymentRequest open;
  open.set_release_version("1.0.0");
  open.set_environment("dev");
  open.set_commit(std::string(40, 'a'));
  open.set_image_digest("sha256:" + std::string(64, 'b'));
  v1::Deployment deployment;
  {
    grpc::ClientContext context;
    CHECK(absl::IsUnauthenticated(rpc::FromGrpcStatus(stub->OpenDeployment(&context, open, &deployment))));
  }
  {
    grpc::ClientContext context;
    context.AddMetadata(rpc::kApiKeyMetadata, "test-key");
    REQUIRE_OK(rpc::FromGrpcStatus(stub->OpenDeployment(&context, open, &deployment)));
    CHECK(deployment.opened_by() == "admin");
  }
  v1::ConcludeDeploymentRequest conclude;
  conclude.set_name(deployment.name());
  conclude.set_smoke_evidence("run 7");
  conclude.set_handed_to("the watch");
  {
    grpc::ClientContext context;
    context.AddMetadata(rpc::kApiKeyMetadata, "test-key");
    REQUIRE_OK(rpc::FromGrpcStatus(stub->ConcludeDeployment(&context, conclude, &deployment)));
    CHECK(deployment.state() == v1::DEPLOYMENT_STATE_COMPLETED);
  }
  grpc::ClientContext context;
  v1::ListDeploymentsResponse list;
  REQUIRE_OK(rpc::FromGrpcStatus(stub->ListDeployments(&context, {}, &list)));
  CHECK(list.deployments_size() == 1);
  CHECK((*component)->Health().empty());
  (*component)->Shutdown();
  server.Shutdown(absl::Seconds(1));
}

}  // namespace chartly::releases
