#include "control/reporter/big_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <map>
#include <new>
#include <vector>

#include "absl/base/const_init.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace chartly::reporter {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Few sizes, so that a block mostly finds another use: pages that nobody touches take no memory.
size_t SizeOfBlock(size_t bytes) {
  const size_t pages = (bytes + kHugePage - 1) / kHugePage;
  const size_t step = std::max<size_t>(1, std::bit_floor(pages) / 4);
  return (pages + step - 1) / step * step * kHugePage;
}

struct Waiting {
  absl::Mutex mu{absl::kConstInit};
  std::map<size_t, std::vector<void*>> blocks ABSL_GUARDED_BY(mu);  // by size
  size_t bytes ABSL_GUARDED_BY(mu) = 0;
  size_t bytes_max ABSL_GUARDED_BY(mu) = 0;
  size_t room ABSL_GUARDED_BY(mu) = std::numeric_limits<size_t>::max();  // that others leave
  size_t keepers ABSL_GUARDED_BY(mu) = 0;

  // The largest go first.
  void Trim(size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    while (bytes > most) {
      auto largest = std::prev(blocks.end());
      if (!largest->second.empty()) {
        std::free(largest->second.back());
        largest->second.pop_back();
        bytes -= largest->first;
      }
      if (largest->second.empty()) blocks.erase(largest);
    }
  }
};

Waiting& Blocks() {
  static Waiting& waiting = *new Waiting;  // never destroyed: columns may outlive main
  return waiting;
}

}  // namespace

void* TakeBigMemory(size_t bytes) {
  const size_t size = SizeOfBlock(bytes);
  Waiting& waiting = Blocks();
  {
    absl::MutexLock lock(&waiting.mu);
    auto found = waiting.blocks.find(size);
    if (found != waiting.blocks.end() && !found->second.empty()) {
      void* memory = found->second.back();
      found->second.pop_back();
      waiting.bytes -= size;
      return memory;
    }
  }
  void* memory = std::aligned_alloc(kHugePage, size);
  if (memory == nullptr) throw std::bad_alloc();
  ::madvise(memory, size, MADV_HUGEPAGE);  // advice; without it pages are small
  return memory;
}

void GiveBigMemory(void* memory, size_t bytes) {
  const size_t size = SizeOfBlock(bytes);
  Waiting& waiting = Blocks();
  {
    absl::MutexLock lock(&waiting.mu);
    if (waiting.keepers > 0 && waiting.bytes + size <= std::min(waiting.bytes_max, waiting.room)) {
      waiting.blocks[size].push_back(memory);
      waiting.bytes += size;
      return;
    }
  }
  std::free(memory);
}

KeepBigMemory::KeepBigMemory(size_t bytes) {
  Waiting& waiting = Blocks();
  absl::MutexLock lock(&waiting.mu);
  ++waiting.keepers;
  waiting.bytes_max = std::max(waiting.bytes_max, bytes);
}

KeepBigMemory::~KeepBigMemory() {
  Waiting& waiting = Blocks();
  absl::MutexLock lock(&waiting.mu);
  if (--waiting.keepers > 0) return;
  waiting.Trim(0);
  waiting.bytes_max = 0;
  waiting.room = std::numeric_limits<size_t>::max();
}

void KeepBigMemory::LeaveRoom(int64_t bytes) {
  Waiting& waiting = Blocks();
  absl::MutexLock lock(&waiting.mu);
  if (waiting.keepers == 0) return;
  waiting.room = static_cast<size_t>(std::max<int64_t>(bytes, 0));
  waiting.Trim(waiting.room);
}

size_t KeepBigMemory::waiting() {
  Waiting& waiting = Blocks();
  absl::MutexLock lock(&waiting.mu);
  return waiting.bytes;
}

}  // namespace chartly::reporter
