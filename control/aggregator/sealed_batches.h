// Sealed rows as batches again, for readers that take batches. A pure function.
#ifndef CHARTLY_CONTROL_AGGREGATOR_SEALED_BATCHES_H_
#define CHARTLY_CONTROL_AGGREGATOR_SEALED_BATCHES_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "control/aggregator/record_block.h"

namespace chartly::aggregator {

// Gives the rows of a block in batches of a few MiB, without what single batches had of their own: tenant, run,
// drone, source.
// Stops when `take` returns false; says whether it did not.
absl::StatusOr<bool> ToBatches(const RecordBlock& block,
                               absl::FunctionRef<absl::StatusOr<bool>(std::string batch)> take);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_SEALED_BATCHES_H_
