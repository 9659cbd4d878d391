#include "control/aggregator/turns.h"

#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kTurnThreads = 4;

// The steps in the order in which they were finished. Step `failing` fails.
std::vector<size_t> FinishSteps(Turns& turns, size_t failing) {
  std::vector<size_t> finished;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kTurnThreads; ++i) {
    threads.emplace_back([&] {
      while (std::optional<size_t> step = turns.Take()) {
        if (!turns.Await(*step)) return;
        finished.push_back(*step);
        turns.End(*step == failing ? absl::InternalError("failed") : absl::OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return finished;
}

std::vector<size_t> FirstSteps(size_t count) {
  std::vector<size_t> steps(count);
  std::iota(steps.begin(), steps.end(), size_t{0});
  return steps;
}

}  // namespace

TEST_CASE("steps that several threads take are finished in order") {
  constexpr size_t kTurns = 5000;
  Turns turns(kTurns);
  CHECK(FinishSteps(turns, kTurns) == FirstSteps(kTurns));
  CHECK_OK(turns.status());
}

TEST_CASE("after a step that failed none is finished, and nobody waits for it") {
  Turns turns(5000);
  CHECK(FinishSteps(turns, 777) == FirstSteps(778));
  CHECK(turns.status().message() == "failed");
}

}  // namespace chartly::aggregator
