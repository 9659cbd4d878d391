#include "absl/strings/str_cat.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/observer/observer_component.h"
#include "control/observer/part_health_service.h"
#include "test/support/held_port.h"
#include "test/support/test.h"

namespace chartly::observer {

TEST_CASE(
    "the observer asks real servers: itself in-process, one that is gone, one of a version before, one that ails") {
  FakeClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "test-key"}}};
  rpc::RpcServer bare;  // serves, but has none of our services
  bare.Listen("127.0.0.1:0");
  REQUIRE_OK(bare.Start());
  PartHealthService conditions(
      [](const std::string& part) -> absl::StatusOr<v1::PartCondition> {
        if (part != "aggregator") return Error(absl::StatusCode::kNotFound, "PART_NOT_HERE", "not here");
        v1::PartCondition condition;
        condition.set_amiss("the disk is full");
        return condition;
      },
      authenticator, nullptr);
  rpc::RpcServer ailing;  // of the aggregator, and others are sent there by mistake
  ailing.Listen("127.0.0.1:0");
  ailing.AddService(&conditions);
  REQUIRE_OK(ailing.Start());
  const testing::HeldPort gone;

  std::map<Part, std::string> addresses;
  for (const PartInfo& info : Parts()) addresses[info.part] = gone.address();
  addresses[Part::kRegistry] = absl::StrCat("127.0.0.1:", bare.ports()[0]);
  for (Part part : {Part::kAggregator, Part::kReporter}) {
    addresses[part] = absl::StrCat("127.0.0.1:", ailing.ports()[0]);
  }
  rpc::Peers peers(addresses, "test-key");
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
    if (part.part() == "aggregator") CHECK(part.health() == v1::PART_HEALTH_DEGRADED);
    if (part.part() == "aggregator") CHECK(part.message() == "the disk is full");
    if (part.part() == "reporter") CHECK(part.health() == v1::PART_HEALTH_NOT_SERVING);
    if (part.part() == "audit") CHECK(part.health() == v1::PART_HEALTH_UNREACHABLE);
    if (part.part() == "audit") CHECK(part.address() == gone.address());
  }
  server.Shutdown(absl::Seconds(1));
  bare.Shutdown(absl::Seconds(1));
  ailing.Shutdown(absl::Seconds(1));
}

}  // namespace chartly::observer
