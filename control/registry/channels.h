// The channels of a profile, dev, staging and prod, as pointers to its revisions. A revision enters at dev and moves on
// one channel at a time; drones run what prod points to. Pure functions; thread-safe.
#ifndef CHARTLY_CONTROL_REGISTRY_CHANNELS_H_
#define CHARTLY_CONTROL_REGISTRY_CHANNELS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/registry.pb.h"

namespace chartly::registry {

inline constexpr char kDev[] = "dev";
inline constexpr char kStaging[] = "staging";
inline constexpr char kProd[] = "prod";

bool IsChannel(absl::string_view name);
// The channel that revisions come from: dev for staging, staging for prod. Empty for anything else.
absl::string_view ChannelBefore(absl::string_view channel);
// Null if the channel points to nothing.
const v1::ChannelPointer* PointerOf(const v1::ProfileChannels& channels, absl::string_view channel);
// Replaces the pointer of its channel; the pointers stay in the order dev, staging, prod.
void SetPointer(v1::ProfileChannels& channels, v1::ChannelPointer pointer);
// Names of the channels that point to the revision, in that order.
std::vector<std::string> ChannelsAt(const v1::ProfileChannels& channels, absl::string_view revision);

// What a channel had before what it has now, by its moves, oldest first: a rollback takes off what it left, so that two
// in a row go back two revisions. Empty if there is nothing to go back to.
std::string RevisionToGoBackTo(const std::vector<v1::ChannelMove>& moves, absl::string_view channel);

// OK, or FailedPrecondition: CHANNELS_NOT_IN_USE, CHANNEL_EMPTY (nothing to promote), CHANNEL_BACKWARDS (what is to be
// promoted is older than what is there). InvalidArgument (CHANNEL_INVALID) unless it is staging or prod.
absl::Status CheckPromotion(const v1::ProfileChannels& channels, absl::string_view profile_id,
                            absl::string_view channel);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_CHANNELS_H_
