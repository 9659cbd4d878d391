// What becomes of a profile when a text is applied, a revision promoted, a channel rolled back, and so on: from the
// profile as it was read to what is to be written, without touching the store. Pure; thread-safe.
//
// A profile that uses no channels has one pointer, its head. With channels, the head is what prod points to; before the
// first promotion to prod it is what dev has, and unreleased.
#ifndef CHARTLY_CONTROL_REGISTRY_PROFILE_COMMIT_H_
#define CHARTLY_CONTROL_REGISTRY_PROFILE_COMMIT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/registry.pb.h"
#include "control/registry/profile_store.h"

namespace chartly::registry {

// Of every change: when, by whom, and why.
struct Author {
  absl::Time time;
  std::string actor;
  std::string reason;
};

// Adds a revision: it becomes the head, or enters at dev if the profile uses channels or `enter_channels` makes it do
// so. `revision` has everything that is in the text and in its signatures; `fresh` are those to be kept.
ProfileCommit CommitRevision(ProfileHead before, v1::Profile revision, std::vector<v1::ProfileSignature> fresh,
                             bool enter_channels, const Author& author);
// Points `channel` at a revision that is kept already. Requires: the profile uses channels.
ProfileCommit CommitPointer(ProfileHead before, absl::string_view channel, const v1::Profile& revision,
                            v1::ChannelMoveKind kind, const Author& author);
// Makes an older revision the head of a profile that uses no channels.
ProfileCommit CommitReturn(ProfileHead before, v1::Profile revision, const Author& author);
ProfileCommit CommitDeletion(ProfileHead before, const Author& author);
// Pause, schedule: the head alone.
ProfileCommit CommitHead(ProfileHead before, v1::Profile head, const Author& author);
// Keeps signatures of a revision, and puts them into the head if it is that revision.
ProfileCommit CommitSignatures(ProfileHead before, const std::string& revision,
                               std::vector<v1::ProfileSignature> signatures, const Author& author);

// Says in a revision which channels point to it.
void ShowChannels(const v1::ProfileChannels& channels, v1::Profile& revision);
// `signatures` with those of `more`, which go before those of the same key.
std::vector<v1::ProfileSignature> JoinSignatures(const std::vector<v1::ProfileSignature>& signatures,
                                                 const std::vector<v1::ProfileSignature>& more);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PROFILE_COMMIT_H_
