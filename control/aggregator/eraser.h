// Deletes records: what somebody asks for, and what the retention of a profile says. The deletion is noted first and
// done in steps between commits, so that ingest goes on; one that a killed process left is finished at the next start.
// A legal hold stops both.
//
// Thread-safe; one deletion at a time.
#ifndef CHARTLY_CONTROL_AGGREGATOR_ERASER_H_
#define CHARTLY_CONTROL_AGGREGATOR_ERASER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/clock/clock.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

inline constexpr char kRetentionPrincipal[] = "retention";

class Eraser {
 public:
  // All must outlive it.
  Eraser(RecordStore& store, Committer& committer, const Clock& clock)
      : store_(store), committer_(committer), clock_(clock) {}

  // Finishes what was begun.
  absl::Status Resume();
  // InvalidArgument (PROFILE_REQUIRED, FIELD_INVALID); NotFound (RUN_NOT_FOUND); FailedPrecondition (LEGAL_HOLD,
  // RUN_REPLACED). On any other error the deletion may be done in part, and is finished at the next start.
  absl::StatusOr<v1::Deletion> Delete(const v1::DeleteRecordsRequest& request, const std::string& principal);
  // Deletes what was fetched before; nothing at all if there is none or the profile is under legal hold.
  absl::StatusOr<v1::Deletion> Expire(const std::string& profile_id, absl::Time before);

  absl::StatusOr<v1::LegalHold> SetHold(const v1::SetLegalHoldRequest& request, const std::string& principal);
  absl::StatusOr<v1::ClearLegalHoldResponse> ClearHold(const v1::ClearLegalHoldRequest& request);

 private:
  absl::Status CheckHold(const std::string& profile_id) const;
  // That nothing which came later refers to what the run stored.
  absl::Status CheckRun(const StoredDeletion& deletion) const;
  absl::StatusOr<uint64_t> NextNumber(const std::string& profile_id) const;
  // What the next step takes, behind a batch and a row in quarantine.
  absl::Status TakeBatches(uint64_t after, Erasure& step) const;
  absl::Status TakeQuarantine(const std::string& after, Erasure& step, std::string* last) const;
  // Counts alone if `dry`.
  absl::StatusOr<StoredDeletion> Run(uint64_t number, StoredDeletion deletion, bool dry);

  RecordStore& store_;
  Committer& committer_;
  const Clock& clock_;
  absl::Mutex mu_;
};

// For people and programs.
v1::Deletion Describe(const StoredDeletion& deletion);
v1::LegalHold Describe(const std::string& profile_id, const LegalHold& hold);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_ERASER_H_
