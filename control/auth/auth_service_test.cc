#include "control/auth/auth_service.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/auth/auth_component.h"
#include "test/support/test.h"

namespace chartly::auth {

TEST_CASE("a caller learns who it is: anonymous without a key, its principal with one, an error with a wrong one") {
  testing::TempDir dir;
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  auto component = AuthComponent::Open({dir.path()}, authenticator, nullptr, clock);
  REQUIRE_OK(component);
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  REQUIRE_OK(server.Start());
  auto stub = v1::AuthService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), grpc::InsecureChannelCredentials()));
  auto ask = [&](const std::string& key, v1::Caller& caller) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata(rpc::kApiKeyMetadata, key);
    return rpc::FromGrpcStatus(stub->GetCaller(&context, {}, &caller));
  };
  v1::Caller caller;
  REQUIRE_OK(ask("", caller));
  CHECK(caller.principal() == "anonymous");
  CHECK_FALSE(caller.can_write());
  REQUIRE_OK(ask("test-key", caller));
  CHECK(caller.principal() == "admin");
  CHECK(caller.can_write());
  CHECK(caller.tenant() == "default");
  CHECK(Reason(ask("test-kez", caller)) == "API_KEY_UNKNOWN");
  server.Shutdown(absl::Seconds(1));
}

}  // namespace chartly::auth
