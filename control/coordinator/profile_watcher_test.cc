#include "control/coordinator/profile_watcher.h"

#include "absl/strings/match.h"
#include "control/coordinator/coordinator_process_test.h"
#include "test/support/held_port.h"

namespace chartly::coordinator {
namespace {

TEST_CASE("a registry that has just come back is asked, though the channel gave it up a moment ago") {
  testing::TempDir dir;
  SystemClock clock;
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(dir.File("state"), clock);
  REQUIRE_OK(store);
  EventLog events(clock.Now());
  Coordinator coordinator({}, **store, clock, events);
  REQUIRE_OK(coordinator.Load());
  const testing::HeldPort port;
  const std::string address = port.address();
  rpc::Peers peers({{Part::kRegistry, address}}, kKey);
  ProfileWatcher profiles(coordinator, peers, clock);

  // Each failure makes the channel wait longer before it looks again.
  for (const bool wait : {false, true}) {
    const absl::Status away = profiles.Refresh("gdp", wait);
    CHECK(absl::IsUnavailable(away));
    CHECK(absl::StrContains(away.message(), address));
  }

  FixedRegistry registry;
  registry.Add("gdp", true);
  rpc::RpcServer server;
  server.Listen(address);
  server.AddService(&registry);
  REQUIRE_OK(server.Start());
  CHECK_OK(profiles.Refresh("gdp"));
  CHECK(absl::IsNotFound(profiles.Refresh("other")));
  server.Shutdown(absl::Seconds(2));
}

}  // namespace
}  // namespace chartly::coordinator
