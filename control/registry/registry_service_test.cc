#include "control/registry/registry_service.h"

#include <thread>
#include <vector>

#include "common/rpc/rpc_server.h"
#include "control/registry/registry_component.h"
#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {

// The registry behind a real server on a free port.
struct ServedRegistry {
  testing::TempDir dir;
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  rpc::Peers peers{{}, ""};
  std::unique_ptr<RegistryComponent> component =
      RegistryComponent::Open({dir.path()}, authenticator, nullptr, peers, clock).value();
  rpc::RpcServer server;
  std::unique_ptr<v1::RegistryService::Stub> stub;

  ServedRegistry() {
    server.Listen("127.0.0.1:0");
    for (grpc::Service* service : component->services()) server.AddService(service);
    REQUIRE_OK(server.Start());
    stub = v1::RegistryService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), grpc::InsecureChannelCredentials()));
  }
  ~ServedRegistry() {
    component->Shutdown();
    server.Shutdown(absl::Seconds(1));
  }
  absl::StatusOr<v1::Profile> Create(const std::string& content, const std::string& key) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata(rpc::kApiKeyMetadata, key);
    v1::CreateProfileRequest request;
    request.set_content(content);
    v1::Profile response;
    absl::Status status = rpc::FromGrpcStatus(stub->CreateProfile(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
};

TEST_CASE("writes need a key, reads do not, and faults travel with their reason") {
  ServedRegistry served;
  CHECK(absl::IsUnauthenticated(served.Create(ProfileText("gdp"), "").status()));
  CHECK(absl::IsUnauthenticated(served.Create(ProfileText("gdp"), "wrong").status()));
  REQUIRE_OK(served.Create(ProfileText("gdp"), "test-key"));
  CHECK(Reason(served.Create("id: [", "test-key").status()) == "PROFILE_INVALID");
  grpc::ClientContext context;
  v1::GetProfileRequest request;
  request.set_name("profiles/gdp");
  v1::Profile profile;
  REQUIRE_OK(rpc::FromGrpcStatus(served.stub->GetProfile(&context, request, &profile)));
  CHECK(profile.content() == ProfileText("gdp"));
  CHECK(served.component->Health().empty());
}

TEST_CASE("a watch over the wire streams changes and ends promptly on shutdown") {
  ServedRegistry served;
  REQUIRE_OK(served.Create(ProfileText("a"), "test-key"));
  grpc::ClientContext context;
  auto reader = served.stub->WatchProfiles(&context, {});
  v1::WatchProfilesResponse message;
  REQUIRE(reader->Read(&message));
  CHECK(message.profile().id() == "a");
  REQUIRE(reader->Read(&message));
  CHECK(message.in_sync());
  REQUIRE_OK(served.Create(ProfileText("b"), "test-key"));
  REQUIRE(reader->Read(&message));
  CHECK(message.profile().id() == "b");
  auto start = std::chrono::steady_clock::now();
  served.component->Shutdown();
  CHECK_FALSE(reader->Read(&message));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  CHECK(Reason(rpc::FromGrpcStatus(reader->Finish())) == "SHUTTING_DOWN");
}

TEST_CASE("a cancelled watch leaves the server free to stop at once") {
  ServedRegistry served;
  grpc::ClientContext context;
  auto reader = served.stub->WatchProfiles(&context, {});
  v1::WatchProfilesResponse message;
  REQUIRE(reader->Read(&message));
  context.TryCancel();
  while (reader->Read(&message)) {
  }
  CHECK(absl::IsCancelled(rpc::FromGrpcStatus(reader->Finish())));
  auto start = std::chrono::steady_clock::now();
  served.server.Shutdown(absl::Seconds(10));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

}  // namespace chartly::registry
