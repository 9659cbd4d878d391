// What the registry does: validates profiles, keeps them as immutable revisions, answers questions about them, moves
// their channels, and lets operators pause them and override their schedule. Plans are made by ProfilePlanner.
//
// Thread-safe. The store and the clock must outlive it. `actor` is who asks, for the history.
#ifndef CHARTLY_CONTROL_REGISTRY_REGISTRY_H_
#define CHARTLY_CONTROL_REGISTRY_REGISTRY_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "chartly/v1/registry.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"
#include "control/registry/profile_commit.h"
#include "control/registry/profile_store.h"
#include "control/registry/revision_maker.h"

namespace chartly::registry {

class Registry {
 public:
  Registry(StateStore& store, Clock& clock) : store_(store), maker_(store_), clock_(clock) {}

  // Every method: InvalidArgument (NAME_INVALID) if the name in the request is not one; NotFound (PROFILE_NOT_FOUND,
  // REVISION_NOT_FOUND) if there is no such thing. registry.proto has the rest.
  absl::StatusOr<v1::Profile> Get(const v1::GetProfileRequest& request) const;
  absl::StatusOr<v1::ListProfilesResponse> List(const v1::ListProfilesRequest& request,
                                                const rpc::ProjectScope& projects = {}) const;
  absl::StatusOr<v1::ListProfileRevisionsResponse> ListRevisions(const v1::ListProfileRevisionsRequest& request) const;
  absl::StatusOr<v1::DiffProfileResponse> Diff(const v1::DiffProfileRequest& request) const;
  absl::StatusOr<v1::ProfileFields> Fields(const v1::GetProfileFieldsRequest& request) const;
  absl::StatusOr<v1::ValidateProfileResponse> Validate(const v1::ValidateProfileRequest& request) const;
  absl::StatusOr<v1::ProfileChannels> Channels(const v1::GetProfileChannelsRequest& request) const;
  absl::StatusOr<v1::ListChannelMovesResponse> ListMoves(const v1::ListChannelMovesRequest& request) const;

  // InvalidArgument (PROFILE_INVALID) lists every fault as file:line:column, one a line. PermissionDenied
  // (PROJECT_NOT_YOURS) if the text is of none of these projects.
  absl::StatusOr<v1::Profile> Create(const v1::CreateProfileRequest& request, const std::string& actor,
                                     const rpc::ProjectScope& projects = {});
  absl::StatusOr<v1::Profile> Update(const v1::UpdateProfileRequest& request, const std::string& actor);
  absl::Status Delete(const v1::DeleteProfileRequest& request, const std::string& actor);
  absl::StatusOr<v1::Profile> Pause(const v1::PauseProfileRequest& request);
  absl::StatusOr<v1::Profile> Resume(const v1::ResumeProfileRequest& request);
  absl::StatusOr<v1::Profile> SetSchedule(const v1::SetProfileScheduleRequest& request);
  absl::StatusOr<v1::ProfileChannels> Promote(const v1::PromoteProfileRequest& request, const std::string& actor);
  absl::StatusOr<v1::ProfileChannels> RollBack(const v1::RollBackProfileRequest& request, const std::string& actor);
  // Returns the signed revision.
  absl::StatusOr<v1::Profile> Sign(const v1::SignProfileRequest& request, const std::string& actor);

  // OK if the store can be read.
  absl::Status Health() const;
  // For WatchBoard and ProfilePlanner.
  ProfileStore& store() { return store_; }

 private:
  absl::StatusOr<ProfileHead> ReadLive(const std::string& id) const;
  // A revision, version or channel; the head if it is empty.
  absl::StatusOr<v1::Profile> Resolve(const std::string& id, const std::string& reference) const;
  absl::StatusOr<v1::Profile> ResolveChannel(const ProfileHead& head, const std::string& channel) const;
  // Makes a text a revision, unless `before` has it.
  absl::StatusOr<v1::Profile> Apply(ProfileHead before, const chartly::Profile& parsed, const NewText& text,
                                    bool allow_breaking, const std::string& actor);
  // Reads the live head, lets `change` alter it (it says whether it did), and writes it back.
  absl::StatusOr<v1::Profile> ChangeHead(const std::string& id, const std::function<bool(v1::Profile&)>& change);
  absl::StatusOr<v1::Profile> RollBackTarget(const ProfileHead& head, const std::string& channel,
                                             const std::string& reference) const;
  Author AuthorOf(const std::string& actor, const std::string& reason = "") const;

  ProfileStore store_;
  const RevisionMaker maker_;
  Clock& clock_;
};

// The channels of a profile as they are told: of one that uses none, prod alone.
v1::ProfileChannels ChannelsMessage(const ProfileHead& head);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REGISTRY_H_
