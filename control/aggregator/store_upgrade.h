// Brings record stores of older formats to the present one (docs/formats/store.md). Not thread-safe; runs while the
// store is opened, before anything else reads it. Killed midway, it is done again from the start.
#ifndef CHARTLY_CONTROL_AGGREGATOR_STORE_UPGRADE_H_
#define CHARTLY_CONTROL_AGGREGATOR_STORE_UPGRADE_H_

#include "absl/status/status.h"
#include "common/kv/kv_store.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/store_keys.h"

namespace chartly::aggregator {

// From format 1: writes down when each chunk was acked and which rows it superseded, by deciding all rows again in
// their order. Takes 60 to 90 bytes of memory a record while it runs. Damaged chunks are left out, as they were when
// format 1 was opened.
absl::Status AddVersions(const RecordReader& store, KvStore& kv, const StoreKeys& keys);

// From format 2, and after the step above from format 1: nothing is sealed yet.
absl::Status AddUnsealed(const RecordReader& store, KvStore& kv, const StoreKeys& keys);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_STORE_UPGRADE_H_
