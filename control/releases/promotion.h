// Which release may go where: the rules that a deployment has to meet before it is opened or goes on. Each reads the
// ledger's store and adds to a transaction what must still hold when it is committed.
#ifndef CHARTLY_CONTROL_RELEASES_PROMOTION_H_
#define CHARTLY_CONTROL_RELEASES_PROMOTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/releases.pb.h"
#include "common/state/state_store.h"

namespace chartly::releases {

inline constexpr char kProd[] = "prod";
// Bytes of a bad value that a message repeats.
inline constexpr size_t kMaxShown = 80;

// dev, staging, prod.
const std::vector<std::string>& Environments();
// The same, also for "stage". InvalidArgument (ENVIRONMENT_UNKNOWN).
absl::StatusOr<std::string> EnvironmentOf(absl::string_view text);
// InvalidArgument (COMMIT_INVALID) if it is not 40 hex digits.
absl::Status CheckCommit(absl::string_view commit);
// InvalidArgument (IMAGE_DIGEST_INVALID) if it is not sha256: and 64 hex digits.
absl::Status CheckDigest(absl::string_view digest);

struct Place {
  v1::Environment environment;
  std::string key;
  int64_t revision = 0;  // 0: nothing is kept of it yet
};

// DataLoss (STATE_DAMAGED).
absl::StatusOr<v1::Deployment> DecodeDeployment(const StateEntry& entry);
absl::StatusOr<Place> ReadPlace(const StateStore& store, absl::string_view environment);
// The environment, if nothing drifts there: FailedPrecondition (DRIFT_OPEN).
absl::StatusOr<Place> ReadSteady(const StateStore& store, absl::string_view environment, StateTransaction& transaction);
// The same for where a deployment that is open goes: FailedPrecondition (RELEASE_OLDER) if something later arrived
// there meanwhile, unless it was to go back.
absl::StatusOr<Place> ReadDestination(const StateStore& store, const v1::Deployment& deployment,
                                      StateTransaction& transaction);
// The key under which a release that ran in an environment is kept.
std::string ConcludedKey(absl::string_view environment, absl::string_view version);

// Completes `deployment` with its builder, its strategy and its way back, and says whether it may be opened: as
// DeploymentLedger::Open.
absl::Status CheckPromotion(const StateStore& store, v1::Deployment& deployment, StateTransaction& transaction);

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_PROMOTION_H_
