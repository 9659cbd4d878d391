#include "absl/strings/str_cat.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/observer/observer_component.h"
#include "test/support/held_port.h"
#include "test/support/test.h"

namespace chartly::observer {

TEST_CASE("the observer asks real servers: itself in-process, one that is gone, one without the service") {
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  rpc::RpcServer bare;  // serves, but has none of our services
  bare.Listen("127.0.0.1:0");
  REQUIRE_OK(bare.Start());
  const testing::HeldPort gone;

  std::map<Part, std::string> addresses;
  for (const PartInfo& info : Parts()) addresses[info.part] = gone.address();
  addresses[Part::kRegistry] = absl::StrCat("127.0.0.1:", bare.ports()[0]);
  rpc::Peers peers(addresses, "");
  auto component = ObserverComponent::Open({}, authenticator, nullptr, peers, clock);
  REQUIRE_OK(component);
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  REQUIRE_OK(server.Start());
  server.SetServing(true);
  peers.SetLocal(Part::kObserver, server);

  auto stub = v1::ObserverService::NewStub(peers.Channel(Part::kObserver));
  grpc::ClientContext context;
  v1::SystemStatus status;
  auto start = std::chrono::steady_clock::now();
  REQUIRE_OK(rpc::FromGrpcStatus(stub->GetStatus(&context, {}, &status)));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(1500));
  CHECK(status.status() == "degraded");
  for (const v1::PartStatus& part : status.parts()) {
    INFO(part.ShortDebugString());
    if (part.part() == "observer") CHECK(part.health() == v1::PART_HEALTH_SERVING);
    if (part.part() == "registry") CHECK(part.health() == v1::PART_HEALTH_NOT_SERVING);
    if (part.part() == "audit") CHECK(part.health() == v1::PART_HEALTH_UNREACHABLE);
    if (part.part() == "audit") CHECK(part.address() == gone.address());
  }
  server.Shutdown(absl::Seconds(1));
  bare.Shutdown(absl::Seconds(1));
}

}  // namespace chartly::observer
