// Tells how much is stored and how, and reads everything again to see whether it is as it was written.
//
// Thread-safe. Memory is bounded: a check reads chunk by chunk, and a call ends after a bounded piece.
#ifndef CHARTLY_CONTROL_AGGREGATOR_STORE_INSPECTOR_H_
#define CHARTLY_CONTROL_AGGREGATOR_STORE_INSPECTOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class StoreInspector {
 public:
  // The store must outlive it.
  explicit StoreInspector(const RecordStore& store) : store_(store) {}
  absl::StatusOr<v1::StoreStats> Stats(const v1::GetStoreStatsRequest& request) const;
  // Damage is an answer, not an error. InvalidArgument (PAGE_TOKEN_INVALID).
  absl::StatusOr<v1::VerifyStoreResponse> Verify(const v1::VerifyStoreRequest& request) const;

 private:
  absl::StatusOr<v1::ProfileStats> StatsOf(const RecordReader& view, const std::string& profile_id,
                                           const ProfileState& state) const;

  const RecordStore& store_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_STORE_INSPECTOR_H_
