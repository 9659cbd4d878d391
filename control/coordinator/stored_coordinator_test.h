// A coordinator on real state, for tests: what the fixtures of its tests have in common. Time and beats are the test's.
#ifndef CHARTLY_CONTROL_COORDINATOR_STORED_COORDINATOR_TEST_H_
#define CHARTLY_CONTROL_COORDINATOR_STORED_COORDINATOR_TEST_H_

#include <memory>
#include <string>
#include <utility>

#include "common/clock/clock.h"
#include "control/coordinator/coordinator.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::coordinator {

class StoredCoordinator {
 public:
  explicit StoredCoordinator(CoordinatorOptions options = {}) : options_(options) { Open(); }
  // Also again, as after a crash: what is not on disk is gone.
  void Open() {
    coordinator.reset();
    store_.reset();
    absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(File("state"), clock);
    REQUIRE_OK(store);
    store_ = *std::move(store);
    coordinator = std::make_unique<Coordinator>(options_, *store_, clock, events_);
    REQUIRE_OK(coordinator->Load());
  }
  // A path in the folder of the test.
  std::string File(const std::string& name) const { return dir_.File(name); }

  FakeClock clock;

 private:
  const testing::TempDir dir_;
  const CoordinatorOptions options_;
  EventLog events_{absl::UnixEpoch()};
  std::unique_ptr<StateStore> store_;

 public:
  std::unique_ptr<Coordinator> coordinator;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_STORED_COORDINATOR_TEST_H_
