// What the registry does: validates profiles, keeps them as immutable revisions, answers questions about them, and
// lets operators pause them and override their schedule.
//
// Thread-safe. The store and the clock must outlive it.
#ifndef CHARTLY_CONTROL_REGISTRY_REGISTRY_H_
#define CHARTLY_CONTROL_REGISTRY_REGISTRY_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "chartly/v1/registry.pb.h"
#include "common/clock/clock.h"
#include "common/profile/profile.h"
#include "common/state/state_store.h"
#include "control/registry/profile_store.h"

namespace chartly::registry {

class Registry {
 public:
  Registry(StateStore& store, Clock& clock) : store_(store), clock_(clock) {}

  // Every method: InvalidArgument (NAME_INVALID) if the name in the request is not one; NotFound (PROFILE_NOT_FOUND,
  // REVISION_NOT_FOUND) if there is no such thing. registry.proto has the rest.
  absl::StatusOr<v1::Profile> Get(const v1::GetProfileRequest& request) const;
  absl::StatusOr<v1::ListProfilesResponse> List(const v1::ListProfilesRequest& request) const;
  absl::StatusOr<v1::ListProfileRevisionsResponse> ListRevisions(const v1::ListProfileRevisionsRequest& request) const;
  absl::StatusOr<v1::DiffProfileResponse> Diff(const v1::DiffProfileRequest& request) const;
  absl::StatusOr<v1::ProfileFields> Fields(const v1::GetProfileFieldsRequest& request) const;
  absl::StatusOr<v1::ValidateProfileResponse> Validate(const v1::ValidateProfileRequest& request) const;

  // InvalidArgument (PROFILE_INVALID) lists every fault as file:line:column, one a line.
  absl::StatusOr<v1::Profile> Create(const v1::CreateProfileRequest& request);
  absl::StatusOr<v1::Profile> Update(const v1::UpdateProfileRequest& request);
  absl::Status Delete(const v1::DeleteProfileRequest& request);
  absl::StatusOr<v1::Profile> Pause(const v1::PauseProfileRequest& request);
  absl::StatusOr<v1::Profile> Resume(const v1::ResumeProfileRequest& request);
  absl::StatusOr<v1::Profile> SetSchedule(const v1::SetProfileScheduleRequest& request);

  // OK if the store can be read.
  absl::Status Health() const;
  // For ProfileWatch.
  ProfileStore& store() { return store_; }

 private:
  absl::StatusOr<ProfileHead> ReadLive(const std::string& id) const;
  // `reference`, or the head if it is empty.
  absl::StatusOr<v1::Profile> Resolve(const std::string& id, const std::string& reference) const;
  absl::StatusOr<v1::Profile> AddRevision(const ProfileHead& before, const chartly::Profile& parsed,
                                          const std::string& content, bool validate_only);
  // Reads the live head, lets `change` alter it (it says whether it did), and writes it back.
  absl::StatusOr<v1::Profile> ChangeHead(const std::string& id, const std::function<bool(v1::Profile&)>& change);
  void Stamp(v1::Profile& profile, const ProfileHead& before) const;

  ProfileStore store_;
  Clock& clock_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REGISTRY_H_
