#include "control/registry/channels.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

constexpr absl::string_view kOrder[] = {kDev, kStaging, kProd};

size_t PlaceOf(absl::string_view channel) {
  return std::distance(std::begin(kOrder), std::find(std::begin(kOrder), std::end(kOrder), channel));
}

absl::Status Refused(absl::string_view reason, absl::string_view profile_id, absl::string_view message) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, message, {{"profile", profile_id}});
}

}  // namespace

bool IsChannel(absl::string_view name) { return PlaceOf(name) < std::size(kOrder); }

absl::string_view ChannelBefore(absl::string_view channel) {
  size_t place = PlaceOf(channel);
  return place == 0 || place == std::size(kOrder) ? "" : kOrder[place - 1];
}

const v1::ChannelPointer* PointerOf(const v1::ProfileChannels& channels, absl::string_view channel) {
  for (const v1::ChannelPointer& pointer : channels.pointers()) {
    if (pointer.channel() == channel) return &pointer;
  }
  return nullptr;
}

void SetPointer(v1::ProfileChannels& channels, v1::ChannelPointer pointer) {
  v1::ProfileChannels after = channels;
  after.clear_pointers();
  for (absl::string_view channel : kOrder) {
    const v1::ChannelPointer* before = PointerOf(channels, channel);
    if (pointer.channel() == channel) {
      *after.add_pointers() = pointer;
    } else if (before != nullptr) {
      *after.add_pointers() = *before;
    }
  }
  channels = std::move(after);
}

std::vector<std::string> ChannelsAt(const v1::ProfileChannels& channels, absl::string_view revision) {
  std::vector<std::string> names;
  for (const v1::ChannelPointer& pointer : channels.pointers()) {
    if (pointer.revision() == revision) names.push_back(pointer.channel());
  }
  return names;
}

std::string RevisionToGoBackTo(const std::vector<v1::ChannelMove>& moves, absl::string_view channel) {
  std::vector<std::string> had;  // the last is what the channel has now
  for (const v1::ChannelMove& move : moves) {
    if (move.channel() != channel) continue;
    if (had.empty() && !move.from_revision().empty()) had.push_back(move.from_revision());
    if (move.to_revision().empty()) {
      had.clear();  // deleted: what comes after is another beginning
      continue;
    }
    if (move.kind() == v1::CHANNEL_MOVE_KIND_ROLLBACK) {
      auto target = std::find(had.rbegin(), had.rend(), move.to_revision());
      if (target != had.rend()) {
        had.erase(target.base(), had.end());
        continue;
      }
    }
    if (had.empty() || had.back() != move.to_revision()) had.push_back(move.to_revision());
  }
  return had.size() < 2 ? "" : had[had.size() - 2];
}

absl::Status CheckPromotion(const v1::ProfileChannels& channels, absl::string_view profile_id,
                            absl::string_view channel) {
  absl::string_view before = ChannelBefore(channel);
  if (before.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "CHANNEL_INVALID",
                 absl::StrCat("'", channel.substr(0, 20), "' is not a channel to promote to; use staging or prod"),
                 {{"field", "channel"}});
  }
  if (!channels.in_use()) {
    return Refused("CHANNELS_NOT_IN_USE", profile_id,
                   absl::StrCat("profile '", profile_id,
                                "' uses no channels: what is applied runs at once. Apply its "
                                "next revision to channel dev to begin"));
  }
  const v1::ChannelPointer* from = PointerOf(channels, before);
  if (from == nullptr) {
    return Refused(
        "CHANNEL_EMPTY", profile_id,
        absl::StrCat("channel ", before, " of profile '", profile_id, "' has no revision to promote to ", channel));
  }
  const v1::ChannelPointer* to = PointerOf(channels, channel);
  if (to == nullptr || to->revision() == from->revision() || to->generation() < from->generation()) {
    return absl::OkStatus();
  }
  return Refused("CHANNEL_BACKWARDS", profile_id,
                 absl::StrCat("channel ", channel, " of profile '", profile_id, "' has ", to->version(),
                              ", which is newer than ", from->version(), " in ", before,
                              "; promotion goes forward only: roll ", channel, " back, with a reason"));
}

}  // namespace chartly::registry
