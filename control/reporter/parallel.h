// Parts of one piece of work on all processors. Which thread does a part shows in no result.
#ifndef CHARTLY_CONTROL_REPORTER_PARALLEL_H_
#define CHARTLY_CONTROL_REPORTER_PARALLEL_H_

#include <cstddef>

#include "absl/functional/function_ref.h"

namespace chartly::reporter {

// As many threads as there are processors.
size_t AllThreads();
// Calls `run` with 0 .. parts - 1, each once, several at a time: on as many threads as there are processors, or fewer,
// of which the caller is one; within a part of those, on the thread of that part alone. Returns when all have ended.
// Thread-safe; `run` must be.
void InParallel(size_t parts, absl::FunctionRef<void(size_t part)> run, size_t threads_max = AllThreads());

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_PARALLEL_H_
