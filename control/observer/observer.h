// Watches the other parts: asks each for its health, all at once, and rolls the answers up.
//
// Thread-safe. One round serves every caller of the next half second, so that asking often costs the parts little.
#ifndef CHARTLY_CONTROL_OBSERVER_OBSERVER_H_
#define CHARTLY_CONTROL_OBSERVER_OBSERVER_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/observer.pb.h"
#include "common/clock/clock.h"
#include "common/config/parts.h"

namespace chartly::observer {

inline constexpr absl::Duration kProbeTimeout = absl::Seconds(1);
inline constexpr absl::Duration kStatusAge = absl::Milliseconds(500);

struct ObserverDeps {
  // Asks a part; the gateway by HTTP, the others by gRPC. Takes kProbeTimeout at most. FailedPrecondition: it answers
  // and does not serve. Called from many threads.
  std::function<absl::StatusOr<v1::PartCondition>(Part)> probe;
  // Where a part is, for people.
  std::function<std::string(Part)> address;
  // Where the gateway of this process listens; empty if it runs elsewhere.
  std::string gateway_address;
};

class Observer {
 public:
  // The clock must outlive it.
  Observer(ObserverDeps deps, Clock& clock) : deps_(std::move(deps)), clock_(clock) {}
  // Every part in the order of Parts(). "degraded" if one that was asked does not serve, or says that something is
  // amiss.
  v1::SystemStatus GetStatus();

 private:
  v1::SystemStatus AskAll() const;
  v1::PartStatus Ask(const PartInfo& info) const;

  const ObserverDeps deps_;
  Clock& clock_;
  absl::Mutex mu_;  // held over a round: callers that come meanwhile share its answer
  std::optional<v1::SystemStatus> last_ ABSL_GUARDED_BY(mu_);
  absl::Time last_time_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_OBSERVER_H_
