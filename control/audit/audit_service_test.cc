#include "absl/strings/str_cat.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/audit/audit_component.h"
#include "test/support/test.h"

namespace chartly::audit {

TEST_CASE("only callers with a key append, everyone may read") {
  testing::TempDir dir;
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  auto component = AuditComponent::Open({dir.path()}, authenticator, nullptr, clock);
  REQUIRE_OK(component);
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  REQUIRE_OK(server.Start());
  auto stub = v1::AuditService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), grpc::InsecureChannelCredentials()));
  v1::AppendAuditEventRequest append;
  append.mutable_event()->set_action("profile.create");
  v1::AuditEvent event;
  {
    grpc::ClientContext context;
    CHECK(absl::IsUnauthenticated(rpc::FromGrpcStatus(stub->AppendAuditEvent(&context, append, &event))));
  }
  grpc::ClientContext keyed;
  keyed.AddMetadata(rpc::kApiKeyMetadata, "test-key");
  REQUIRE_OK(rpc::FromGrpcStatus(stub->AppendAuditEvent(&keyed, append, &event)));
  CHECK(event.seq() == 1);
  grpc::ClientContext context;
  v1::ListAuditEventsResponse events;
  REQUIRE_OK(rpc::FromGrpcStatus(stub->ListAuditEvents(&context, {}, &events)));
  REQUIRE(events.events_size() == 1);
  CHECK(events.events(0).hash() == event.hash());
  CHECK((*component)->Health().empty());
  (*component)->Shutdown();
  server.Shutdown(absl::Seconds(1));
}

}  // namespace chartly::audit
