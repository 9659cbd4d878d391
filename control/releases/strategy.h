// How a release may take over from the one before, by what it changes.
//
//   change     without a choice   may also be   never, since
//   standard   rolling            blue/green,   recreate: nothing would serve, and for nothing
//                                 canary
//   critical   blue/green         canary        rolling: there is no moment in which it is taken back
//   risky      canary             -             all else: a fault would reach everybody at once
//   schema     canary             -             all else, for the same reason
//   breaking   recreate           -             all else: the two versions would run beside each other
#ifndef CHARTLY_CONTROL_RELEASES_STRATEGY_H_
#define CHARTLY_CONTROL_RELEASES_STRATEGY_H_

#include "absl/status/status.h"
#include "chartly/v1/releases.pb.h"

namespace chartly::releases {

// Gives `deployment` the change that its release was first opened with, or `standard` if neither names one.
// InvalidArgument (CHANGE_UNKNOWN); FailedPrecondition (CHANGE_DIFFERS) if both name one and they differ.
absl::Status BindChange(v1::ReleaseChange first, v1::Deployment& deployment);

// Gives a deployment whose change is known its strategy, if it names none, and its risk. InvalidArgument
// (STRATEGY_UNKNOWN); FailedPrecondition (STRATEGY_UNFIT) if it names one that does not fit the change.
absl::Status ChooseStrategy(v1::Deployment& deployment);

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_STRATEGY_H_
