// Cuts a span of time into the partitions of a backfill. Pure functions.
#ifndef CHARTLY_CONTROL_COORDINATOR_PARTITION_CUT_H_
#define CHARTLY_CONTROL_COORDINATOR_PARTITION_CUT_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "chartly/v1/backfill.pb.h"

namespace chartly::coordinator {

// The first moment after `time` at which a partition begins: the calendar's, in UTC.
absl::Time NextCut(absl::Time time, v1::BackfillStep step);

// The bounds of the partitions from `start` to `end`, one more than there are partitions; not more than `most`
// partitions are cut. Requires: start < end, and a known step.
std::vector<absl::Time> CutPartitions(absl::Time start, absl::Time end, v1::BackfillStep step, size_t most);

// The length that partitions of the step have at least.
absl::Duration ShortestOf(v1::BackfillStep step);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_PARTITION_CUT_H_
