// Between what the values of key dims lie: what tells that a batch and a part have no key in common, mostly by their
// days or hours, without a look at a single key. Pure functions.
#ifndef CHARTLY_CONTROL_AGGREGATOR_KEY_RANGES_H_
#define CHARTLY_CONTROL_AGGREGATOR_KEY_RANGES_H_

#include <vector>

#include "common/batch/batch.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// Of the key dims that every row of the batch has, with values of one type.
std::vector<DimRange> KeyRangesOf(const Batch& batch);

// False if no row of such a batch can have the key of a row of the part.
bool MayShareKeys(const std::vector<DimRange>& batch, const PartMeta& part);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_KEY_RANGES_H_
