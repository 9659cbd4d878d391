#include "control/reporter/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace chartly::reporter {
namespace {

// Whether this thread does a part of something already: all processors are busy with the others then.
thread_local bool busy = false;

}  // namespace

size_t AllThreads() { return std::max(1u, std::thread::hardware_concurrency()); }

void InParallel(size_t parts, absl::FunctionRef<void(size_t part)> run, size_t threads_max) {
  if (busy) {
    for (size_t part = 0; part < parts; ++part) run(part);
    return;
  }
  const size_t threads = std::min(parts, threads_max);
  std::atomic<size_t> next{0};
  auto work = [&] {
    busy = threads > 1;
    for (size_t part = next++; part < parts; part = next++) run(part);
    busy = false;
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace chartly::reporter
