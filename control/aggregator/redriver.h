// Takes rows out of quarantine: through the normalizer of the current revision, the same that drones use, into records
// that keep the origin the rows had.
//
// Thread-safe; one redrive at a time. Records, the marks on the rows that left quarantine, and the end of the run are
// one commit. Everything must outlive it.
#ifndef CHARTLY_CONTROL_AGGREGATOR_REDRIVER_H_
#define CHARTLY_CONTROL_AGGREGATOR_REDRIVER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/clock/clock.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

struct ProfileRevision {
  std::string content;  // YAML
  std::string name;     // profiles/{profile}@sha256:{hash}
};
// The current revision of a profile; NotFound if there is none.
using FindRevision = std::function<absl::StatusOr<ProfileRevision>(const std::string& profile_id)>;

class Redriver {
 public:
  Redriver(const RecordStore& store, Committer& committer, const Clock& clock, FindRevision find_revision,
           std::string tenant = rpc::kDefaultTenant)
      : store_(store),
        committer_(committer),
        clock_(clock),
        find_revision_(std::move(find_revision)),
        tenant_(std::move(tenant)) {}

  // Tries up to 10,000 rows, or 8 MiB of them. InvalidArgument (PROFILE_REQUIRED, PAGE_TOKEN_INVALID);
  // FailedPrecondition (REDRIVE_UNSUPPORTED) if rows of the profile cannot be read again.
  absl::StatusOr<v1::RedriveQuarantineResponse> Redrive(const v1::RedriveQuarantineRequest& request);

 private:
  struct Taken {
    std::string id;
    StoredQuarantine row;
  };
  // The next rows that wait; sets the token of the answer if there are more.
  absl::StatusOr<std::vector<Taken>> TakeRows(const v1::RedriveQuarantineRequest& request,
                                              v1::RedriveQuarantineResponse& answer) const;
  absl::Status CommitRun(CommitRequest commit, v1::RedriveQuarantineResponse& answer);

  const RecordStore& store_;
  Committer& committer_;
  const Clock& clock_;
  const FindRevision find_revision_;
  const std::string tenant_;
  absl::Mutex mu_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_REDRIVER_H_
