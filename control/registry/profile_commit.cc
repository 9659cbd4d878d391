#include "control/registry/profile_commit.h"

#include <map>
#include <utility>

#include "control/registry/channels.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::registry {
namespace {

google::protobuf::Timestamp TimeMessage(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

v1::ChannelPointer PointerAt(absl::string_view channel, const v1::Profile& revision, const Author& author) {
  v1::ChannelPointer pointer;
  pointer.set_channel(std::string(channel));
  pointer.set_revision(revision.revision());
  pointer.set_version(revision.version());
  pointer.set_generation(revision.generation());
  *pointer.mutable_move_time() = TimeMessage(author.time);
  pointer.set_actor(author.actor);
  pointer.set_reason(author.reason);
  return pointer;
}

v1::ChannelMove Move(absl::string_view channel, v1::ChannelMoveKind kind, const Author& author) {
  v1::ChannelMove move;
  move.set_channel(std::string(channel));
  move.set_kind(kind);
  *move.mutable_move_time() = TimeMessage(author.time);
  move.set_actor(author.actor);
  move.set_reason(author.reason);
  return move;
}

void SetFrom(v1::ChannelMove& move, const std::string& revision, const std::string& version) {
  move.set_from_revision(revision);
  move.set_from_version(version);
}

void SetTo(v1::ChannelMove& move, const v1::Profile& revision) {
  move.set_to_revision(revision.revision());
  move.set_to_version(revision.version());
}

void Stamp(v1::Profile& profile, const ProfileHead& before, const Author& author) {
  profile.set_generation(before.profile.generation() + 1);
  *profile.mutable_update_time() = TimeMessage(author.time);
}

// An operator's pause holds until it is lifted.
void KeepPause(const ProfileHead& before, v1::Profile& head) {
  if (!before.live()) return;
  head.set_paused(before.profile.paused());
  head.set_pause_reason(before.profile.pause_reason());
}

// Until now what was applied last ran: all channels have that.
v1::ProfileChannels FirstChannels(const ProfileHead& before) {
  v1::ProfileChannels channels;
  channels.set_in_use(true);
  if (!before.live()) return channels;
  for (absl::string_view channel : {kDev, kStaging, kProd}) {
    v1::ChannelPointer& pointer = *channels.add_pointers();
    pointer.set_channel(std::string(channel));
    pointer.set_revision(before.profile.revision());
    pointer.set_version(before.profile.version());
    pointer.set_generation(before.profile.generation());
    *pointer.mutable_move_time() = before.profile.update_time();
  }
  return channels;
}

// Moves one channel; the head follows prod, and dev as long as prod has nothing.
void MovePointer(ProfileCommit& commit, absl::string_view channel, const v1::Profile& revision,
                 v1::ChannelMoveKind kind, const Author& author) {
  v1::ProfileChannels& channels = *commit.channels;
  v1::ChannelMove move = Move(channel, kind, author);
  if (const v1::ChannelPointer* from = PointerOf(channels, channel)) SetFrom(move, from->revision(), from->version());
  SetTo(move, revision);
  commit.moves.push_back(std::move(move));
  SetPointer(channels, PointerAt(channel, revision, author));
  const bool released = PointerOf(channels, kProd) != nullptr;
  if (channel == kProd || (channel == kDev && !released)) {
    commit.head = revision;
    KeepPause(commit.before, commit.head);
    commit.head.set_unreleased(!released);
  }
  Stamp(commit.head, commit.before, author);
  ShowChannels(channels, commit.head);
}

}  // namespace

void ShowChannels(const v1::ProfileChannels& channels, v1::Profile& revision) {
  revision.set_uses_channels(channels.in_use());
  std::vector<std::string> names = ChannelsAt(channels, revision.revision());
  revision.mutable_channels()->Assign(names.begin(), names.end());
}

std::vector<v1::ProfileSignature> JoinSignatures(const std::vector<v1::ProfileSignature>& signatures,
                                                 const std::vector<v1::ProfileSignature>& more) {
  std::map<std::string, v1::ProfileSignature> by_key;
  for (const v1::ProfileSignature& signature : signatures) by_key[signature.key_id()] = signature;
  for (const v1::ProfileSignature& signature : more) by_key[signature.key_id()] = signature;
  std::vector<v1::ProfileSignature> all;
  for (auto& [key_id, signature] : by_key) all.push_back(std::move(signature));
  return all;
}

ProfileCommit CommitRevision(ProfileHead before, v1::Profile revision, std::vector<v1::ProfileSignature> fresh,
                             bool enter_channels, const Author& author) {
  ProfileCommit commit;
  commit.before = std::move(before);
  commit.signed_revision = revision.revision();
  commit.signatures = std::move(fresh);
  Stamp(revision, commit.before, author);
  *revision.mutable_create_time() = revision.update_time();
  const bool in_use = commit.before.live() && commit.before.channels.in_use();
  if (in_use || enter_channels) {
    commit.channels = in_use ? commit.before.channels : FirstChannels(commit.before);
    if (commit.before.live()) commit.head = commit.before.profile;
    MovePointer(commit, kDev, revision, v1::CHANNEL_MOVE_KIND_APPLY, author);
    ShowChannels(*commit.channels, revision);
  } else {
    KeepPause(commit.before, revision);
    v1::ChannelMove move = Move(kProd, v1::CHANNEL_MOVE_KIND_APPLY, author);
    const v1::Profile& from = commit.before.profile;
    if (commit.before.live()) SetFrom(move, from.revision(), from.version());
    SetTo(move, revision);
    commit.moves.push_back(std::move(move));
    commit.head = revision;
  }
  commit.revision = std::move(revision);
  return commit;
}

ProfileCommit CommitPointer(ProfileHead before, absl::string_view channel, const v1::Profile& revision,
                            v1::ChannelMoveKind kind, const Author& author) {
  ProfileCommit commit;
  commit.before = std::move(before);
  commit.channels = commit.before.channels;
  commit.head = commit.before.profile;
  MovePointer(commit, channel, revision, kind, author);
  return commit;
}

ProfileCommit CommitReturn(ProfileHead before, v1::Profile revision, const Author& author) {
  ProfileCommit commit = CommitRevision(std::move(before), std::move(revision), {}, false, author);
  commit.moves.back().set_kind(v1::CHANNEL_MOVE_KIND_ROLLBACK);
  return commit;
}

ProfileCommit CommitDeletion(ProfileHead before, const Author& author) {
  ProfileCommit commit;
  commit.before = std::move(before);
  commit.deleted = true;
  commit.head = commit.before.profile;
  Stamp(commit.head, commit.before, author);
  auto add_move = [&](absl::string_view channel, const std::string& revision, const std::string& version) {
    v1::ChannelMove& move = commit.moves.emplace_back(Move(channel, v1::CHANNEL_MOVE_KIND_DELETE, author));
    SetFrom(move, revision, version);
  };
  for (const v1::ChannelPointer& pointer : commit.before.channels.pointers()) {
    add_move(pointer.channel(), pointer.revision(), pointer.version());
  }
  if (commit.moves.empty()) add_move(kProd, commit.head.revision(), commit.head.version());
  return commit;
}

ProfileCommit CommitHead(ProfileHead before, v1::Profile head, const Author& author) {
  ProfileCommit commit;
  commit.before = std::move(before);
  commit.head = std::move(head);
  Stamp(commit.head, commit.before, author);
  return commit;
}

ProfileCommit CommitSignatures(ProfileHead before, const std::string& revision,
                               std::vector<v1::ProfileSignature> signatures, const Author& author) {
  v1::Profile head = before.profile;
  if (head.revision() == revision) {
    std::vector<v1::ProfileSignature> all =
        JoinSignatures({head.signatures().begin(), head.signatures().end()}, signatures);
    head.mutable_signatures()->Assign(all.begin(), all.end());
  }
  ProfileCommit commit = CommitHead(std::move(before), std::move(head), author);
  commit.signed_revision = revision;
  commit.signatures = std::move(signatures);
  return commit;
}

}  // namespace chartly::registry
