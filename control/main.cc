#include "absl/synchronization/mutex.h"
#include "control/control.h"

int main(int argc, char** argv) {
  // Distributions ship abseil with its search for deadlocks switched on: every lock of the process, gRPC's too, would
  // go through one graph of all mutexes. Tests keep it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return chartly::control::RunControl(argc, argv);
}
