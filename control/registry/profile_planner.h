// Plans: what applying some texts would change, and its execution. A plan names the state it starts from, so it is
// carried out whole or, if anything drifted since, not at all.
//
// Thread-safe. Stores, clock and preview must outlive it.
#ifndef CHARTLY_CONTROL_REGISTRY_PROFILE_PLANNER_H_
#define CHARTLY_CONTROL_REGISTRY_PROFILE_PLANNER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/registry.pb.h"
#include "common/clock/clock.h"
#include "common/profile/profile.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"
#include "control/registry/assignment_preview.h"
#include "control/registry/plan_store.h"
#include "control/registry/profile_store.h"
#include "control/registry/revision_maker.h"

namespace chartly::registry {

class ProfilePlanner {
 public:
  static constexpr int kMaxProfiles = 1000;
  static constexpr size_t kMaxBytes = size_t{6} << 20;

  ProfilePlanner(ProfileStore& store, StateStore& state, AssignmentPreview& preview, Clock& clock)
      : store_(store), plans_(state), maker_(store), preview_(preview), clock_(clock) {}

  // Makes a plan and keeps it. InvalidArgument: PROFILE_INVALID with the faults of all texts, PLAN_PROFILE_TWICE,
  // PLAN_TOO_LARGE, PLAN_EMPTY (nothing is given and everything is to be deleted); and what RevisionMaker refuses.
  // PermissionDenied (PROJECT_NOT_YOURS) if a text is of none of these projects; nothing of others is deleted or told.
  absl::StatusOr<v1::ProfilePlan> Plan(const v1::PlanProfilesRequest& request, const std::string& actor = "",
                                       const rpc::ProjectScope& projects = {});
  // InvalidArgument (NAME_INVALID), NotFound (PLAN_NOT_FOUND), also if it is about a profile of other projects.
  absl::StatusOr<v1::ProfilePlan> Get(const v1::GetProfilePlanRequest& request,
                                      const rpc::ProjectScope& projects = {}) const;
  // As Get, and FailedPrecondition: PLAN_DRIFTED, PROFILE_BREAKING.
  absl::StatusOr<v1::ProfilePlan> Apply(const v1::ApplyProfilePlanRequest& request, const std::string& actor,
                                        const rpc::ProjectScope& projects = {});

 private:
  // A plan, and the commits that carry it out.
  struct Draft {
    v1::ProfilePlan plan;
    std::vector<ProfileCommit> commits;
    v1::PreviewAssignmentsRequest edits;  // of what runs
  };
  absl::StatusOr<storage::v1::StoredPlan> Find(const std::string& hash, const rpc::ProjectScope& projects) const;
  absl::StatusOr<Draft> MakeDraft(const v1::PlanProfilesRequest& request, const Author& author,
                                  const rpc::ProjectScope& projects);
  absl::Status AddText(const v1::PlanProfilesRequest& request, const v1::ProfileText& text,
                       const chartly::Profile& parsed, const Author& author, Draft& draft) const;
  absl::Status AddDeletions(const std::vector<std::string>& kept, const Author& author,
                            const rpc::ProjectScope& projects, Draft& draft) const;
  void AddDrones(const rpc::ProjectScope& projects, Draft& draft);

  ProfileStore& store_;
  PlanStore plans_;
  const RevisionMaker maker_;
  AssignmentPreview& preview_;
  Clock& clock_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PROFILE_PLANNER_H_
