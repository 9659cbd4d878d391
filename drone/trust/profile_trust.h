// Which profiles the owner of this host lets the drone run (`chartly-drone --profile-keys FILE`): those that one of the
// keys signed, none older than what was trusted before. Nothing that comes over the network changes the keys.
//
// The highest counter of each profile is on disk before a run with it begins, so that a control plane, whoever holds
// it, cannot go back to a revision that its signer replaced: going back takes a new signature of the old revision. One
// step is free, so that a rollout can go back by itself: for kWayBack from when a revision was first trusted here, the
// one that ran well here last before it may be ordered again. A control plane could as well have kept the new one back.
// Thread-safe. The clock must outlive it.
#ifndef CHARTLY_DRONE_TRUST_PROFILE_TRUST_H_
#define CHARTLY_DRONE_TRUST_PROFILE_TRUST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/clock/clock.h"
#include "common/crypto/signing_key.h"
#include "drone/trust/kept_revisions.h"

namespace chartly::drone {

inline constexpr absl::Duration kWayBack = absl::Hours(24 * 7);

class ProfileTrust {
 public:
  // `folder` keeps the counters; it is made if it is absent.
  static absl::StatusOr<std::unique_ptr<ProfileTrust>> Open(const std::string& folder, std::vector<PublicKey> keys,
                                                            Clock& clock);
  // OK if the order's text may run. PermissionDenied: PROFILE_ALTERED if the text is not that of its revision or of its
  // profile, PROFILE_DOWNGRADED if something newer was trusted before, and what VerifyProfile refuses. Another code if
  // the disk fails: then nothing is trusted, either.
  absl::Status Check(const v1::RunOrder& order);
  // The same of a revision that this drone keeps itself, but for its counter, which nothing is noted of.
  absl::Status CheckKept(const v1::RunOrder& order) const;
  // An order that Check let run came to a good end: what is trusted after it may go back to it.
  absl::Status RanWell(const v1::RunOrder& order);

 private:
  ProfileTrust(KeptRevisions seen, std::vector<PublicKey> keys, Clock& clock)
      : keys_(std::move(keys)), clock_(clock), seen_(std::move(seen)) {}

  const std::vector<PublicKey> keys_;
  Clock& clock_;
  absl::Mutex mu_;
  KeptRevisions seen_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_TRUST_PROFILE_TRUST_H_
