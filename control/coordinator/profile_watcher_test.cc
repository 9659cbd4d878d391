#include "control/coordinator/profile_watcher.h"

#include "absl/strings/match.h"
#include "control/coordinator/coordinator_process_test.h"

namespace chartly::coordinator {
namespace {

// A port that is free now and taken again by the same test.
int FreePort() {
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  REQUIRE_OK(server.Start());
  const int port = server.ports()[0];
  server.Shutdown(absl::ZeroDuration());
  return port;
}

TEST_CASE("a registry that has just come back is asked, though the channel gave it up a moment ago") {
  testing::TempDir dir;
  SystemClock clock;
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(dir.File("state"), clock);
  REQUIRE_OK(store);
  EventLog events(clock.Now());
  Coordinator coordinator({}, **store, clock, events);
  REQUIRE_OK(coordinator.Load());
  const std::string address = absl::StrCat("127.0.0.1:", FreePort());
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
