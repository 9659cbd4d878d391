#include "control/reporter/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace chartly::reporter {

void InParallel(size_t parts, absl::FunctionRef<void(size_t part)> run) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t part = next++; part < parts; part = next++) run(part);
  };
  const size_t threads = std::min<size_t>(parts, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace chartly::reporter
