// Large blocks of memory on huge pages where the system has them, since the first touch of small pages costs more than
// most of what is done with a column. What the system has to clear anew costs as much, so work that goes piece by piece
// keeps the blocks of one piece for the next. Thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_BIG_MEMORY_H_
#define CHARTLY_CONTROL_REPORTER_BIG_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace chartly::reporter {

// Throws std::bad_alloc if there is no memory. What lies in a block is anything.
void* TakeBigMemory(size_t bytes);
// `bytes`: as it was taken.
void GiveBigMemory(void* memory, size_t bytes);

// While one lives, blocks that are given wait to be taken again: up to so many bytes, the most that any of them allows.
// With the last one they go.
class KeepBigMemory {
 public:
  explicit KeepBigMemory(size_t bytes);
  ~KeepBigMemory();
  KeepBigMemory(const KeepBigMemory&) = delete;
  KeepBigMemory& operator=(const KeepBigMemory&) = delete;

  // So many bytes may wait from now on, whatever was allowed, and the others go: the memory is for something else.
  static void LeaveRoom(int64_t bytes);
  // Bytes of the blocks that wait.
  static size_t waiting();
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_BIG_MEMORY_H_
