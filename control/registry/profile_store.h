// Keeps profiles over a StateStore: a head for each (how it stands now), and every revision it ever had.
//
//   head/live/{id}                          the profile as it stands, with pause and schedule override
//   head/gone/{id}                          the same of a profile taken out of use
//   revision/{id}/{generation}              a revision as it was made; generations sort by time
//   hash/{id}/{sha256:...}                  the generation that made this content current last
//   version/{id}/{version}                  the content hash of this version; never changes
//   channels/{id}                           what its channels point to; absent if it uses none
//   move/{id}/{generation}{number}          a move of one channel; sorts by time
//   signature/{id}/{sha256:...}/{key id}    a signature of that revision
//
// Values are messages of registry.proto, but for hash and version. Thread-safe: every change is one transaction on the
// condition that the profile is as it was read; else Aborted, and the caller reads again.
#ifndef CHARTLY_CONTROL_REGISTRY_PROFILE_STORE_H_
#define CHARTLY_CONTROL_REGISTRY_PROFILE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/registry.pb.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_page.h"
#include "common/state/state_store.h"

namespace chartly::registry {

// A profile as it stands, and what its keys looked like when it was read.
struct ProfileHead {
  v1::Profile profile;
  bool known = false;    // whether there is or was such a profile
  bool deleted = false;  // taken out of use
  int64_t live_revision = 0;
  int64_t gone_revision = 0;
  v1::ProfileChannels channels;  // not in use if there are none
  int64_t channels_revision = 0;
  bool live() const { return known && !deleted; }
};

struct ProfilePage {
  std::vector<v1::Profile> profiles;
  std::string next_page_token;
};

struct MovePage {
  std::vector<v1::ChannelMove> moves;
  std::string next_page_token;
};

// What changes of one profile, together or not at all. What is not set stays.
struct ProfileCommit {
  ProfileHead before;                            // as it was read
  v1::Profile head;                              // as it stands then; if deleted, what it was
  bool deleted = false;                          // takes it out of use, and its channels with it
  std::optional<v1::Profile> revision;           // to keep; its generation is that of `head`
  std::optional<v1::ProfileChannels> channels;   // as they are then
  std::vector<v1::ChannelMove> moves;            // at most ten
  std::string signed_revision;                   // content hash that `signatures` sign
  std::vector<v1::ProfileSignature> signatures;  // to keep beside it
};

class ProfileStore {
 public:
  // The store must outlive it.
  explicit ProfileStore(StateStore& store) : store_(store) {}

  // A head with known = false if there never was one.
  absl::StatusOr<ProfileHead> ReadHead(absl::string_view id) const;
  // The revision of a content hash or version; NotFound (REVISION_NOT_FOUND).
  absl::StatusOr<v1::Profile> ReadRevision(absl::string_view id, absl::string_view reference) const;
  // The content hash that the version was used for; empty if it was not.
  absl::StatusOr<std::string> HashOfVersion(absl::string_view id, absl::string_view version) const;
  // Live heads by id, of these projects.
  absl::StatusOr<ProfilePage> ListHeads(int32_t page_size, const std::string& page_token,
                                        const rpc::ProjectScope& projects = {}) const;
  // Revisions of one profile, newest first.
  absl::StatusOr<ProfilePage> ListRevisions(absl::string_view id, int32_t page_size,
                                            const std::string& page_token) const;

  // Moves of its channels, newest first.
  absl::StatusOr<MovePage> ListMoves(absl::string_view id, int32_t page_size, const std::string& page_token) const;
  // The same, all of them, oldest first; of a profile with more than 10,000, the newest.
  absl::StatusOr<std::vector<v1::ChannelMove>> AllMoves(absl::string_view id) const;
  // By key id.
  absl::StatusOr<std::vector<v1::ProfileSignature>> SignaturesOf(absl::string_view id, absl::string_view hash) const;

  // Does all of it in one transaction; Aborted and nothing done if one of the profiles is not as it was read. Each
  // head's generation must be above the one before. Requires: the profiles differ.
  absl::Status Commit(const std::vector<ProfileCommit>& commits);

  // Calls back with the id of each profile whose head changes; see StateStore::Watch.
  std::unique_ptr<StateStore::Subscription> WatchHeads(std::function<void(const std::string& id)> callback);

 private:
  absl::StatusOr<ProfilePage> ReadProfilePage(const StatePageQuery& query) const;
  StateStore& store_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PROFILE_STORE_H_
