#include "control/registry/profile_planner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/normalize/validate.h"
#include "common/state/retry.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "control/registry/channels.h"
#include "control/registry/compatibility.h"
#include "control/registry/plan_text.h"
#include "control/registry/profile_message.h"

namespace chartly::registry {
namespace {

constexpr char kPlans[] = "plans/";
constexpr size_t kHashChars = 64;
constexpr size_t kMaxCommitChars = 64;

absl::Status Refused(absl::string_view reason, const std::string& message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::StatusOr<std::string> ParsePlanName(absl::string_view name) {
  absl::string_view hash = name;
  if (absl::ConsumePrefix(&hash, kPlans) && hash.size() == kHashChars &&
      std::all_of(hash.begin(), hash.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
    return absl::AsciiStrToLower(hash);
  }
  return Refused("NAME_INVALID", "name is not of the form plans/{64 hex digits}");
}

absl::Status CheckRequest(const v1::PlanProfilesRequest& request) {
  size_t bytes = 0;
  for (const v1::ProfileText& text : request.profiles()) bytes += text.content().size();
  if (request.profiles_size() > ProfilePlanner::kMaxProfiles || bytes > ProfilePlanner::kMaxBytes) {
    return Refused("PLAN_TOO_LARGE", absl::StrCat("a plan takes at most ", ProfilePlanner::kMaxProfiles,
                                                  " texts with 6 MiB in all; these are ", request.profiles_size(),
                                                  " with ", bytes, " bytes: plan them in parts"));
  }
  const std::string& commit = request.origin().commit();
  if (commit.size() > kMaxCommitChars ||
      !std::all_of(commit.begin(), commit.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
    return Refused("ORIGIN_INVALID", "origin.commit must be hex digits, at most 64");
  }
  if (request.profiles_size() > 0 || !request.prune()) return absl::OkStatus();
  return Refused("PLAN_EMPTY",
                 "no text is given and everything else is to be deleted: that would leave nothing; "
                 "delete profiles by name if that is meant");
}

// All texts, parsed; or the faults of all of them.
absl::StatusOr<std::vector<chartly::Profile>> ParseTexts(const v1::PlanProfilesRequest& request) {
  std::vector<chartly::Profile> parsed;
  std::vector<std::string> ids;
  std::string faults;
  for (const v1::ProfileText& text : request.profiles()) {
    const std::string filename = text.filename().empty() ? "profile.yaml" : text.filename().substr(0, 255);
    ProfileParseResult result = ValidateProfile(text.content());
    if (!result.ok()) {
      absl::StrAppend(&faults, faults.empty() ? "" : "\n", FormatFaults(filename, result.faults));
      continue;
    }
    if (std::find(ids.begin(), ids.end(), result.profile.id) != ids.end()) {
      return Refused("PLAN_PROFILE_TWICE",
                     absl::StrCat("two texts have the id '", result.profile.id, "', one of them ", filename));
    }
    ids.push_back(result.profile.id);
    parsed.push_back(std::move(result.profile));
  }
  if (!faults.empty()) return Refused("PROFILE_INVALID", faults);
  return parsed;
}

// What drones run of a profile; empty if nothing.
std::string RunningRevision(const v1::Profile& head, bool live) {
  return live && !head.unreleased() ? head.revision() : "";
}

void AddEdit(const ProfileCommit& commit, v1::PreviewAssignmentsRequest& edits) {
  const std::string after = RunningRevision(commit.head, !commit.deleted);
  if (RunningRevision(commit.before.profile, commit.before.live()) == after && commit.signatures.empty()) return;
  v1::ProfileEdit& edit = *edits.add_edits();
  edit.set_profile_id(commit.head.id());
  edit.set_deleted(after.empty());
  if (edit.deleted()) return;
  edit.set_content(commit.head.content());
  for (const v1::ProfileSignature& signature : commit.head.signatures()) edit.add_key_ids(signature.key_id());
}

rpc::ProjectScope ScopeOf(const storage::v1::StoredPlan& stored) {
  if (stored.projects().empty()) return rpc::ProjectScope();
  return rpc::ProjectScope::BoundTo({stored.projects().begin(), stored.projects().end()});
}

template <typename Ids>
void KeepOwn(const rpc::ProjectScope& projects, Ids& ids) {
  ids.erase(std::remove_if(ids.begin(), ids.end(), [&](const auto& id) { return !projects.Includes(id); }), ids.end());
}

// Profiles that are not planned move between drones, too.
void KeepOwn(const rpc::ProjectScope& projects, std::vector<v1::PlannedDrone>& drones) {
  for (v1::PlannedDrone& drone : drones) {
    KeepOwn(projects, *drone.mutable_gained());
    KeepOwn(projects, *drone.mutable_lost());
    KeepOwn(projects, *drone.mutable_changed());
    auto& refusals = *drone.mutable_refusals();
    refusals.erase(std::remove_if(refusals.begin(), refusals.end(),
                                  [&](const auto& refusal) { return !projects.Includes(refusal.profile_id()); }),
                   refusals.end());
  }
  drones.erase(std::remove_if(drones.begin(), drones.end(),
                              [](const v1::PlannedDrone& drone) {
                                return drone.gained().empty() && drone.lost().empty() && drone.changed().empty() &&
                                       drone.refusals().empty();
                              }),
               drones.end());
}

bool ChangesNothing(const v1::ProfilePlan& plan) {
  return std::all_of(plan.profiles().begin(), plan.profiles().end(),
                     [](const auto& profile) { return profile.action() == v1::PLAN_ACTION_UNCHANGED; });
}

}  // namespace

absl::Status ProfilePlanner::AddText(const v1::PlanProfilesRequest& request, const v1::ProfileText& text,
                                     const chartly::Profile& parsed, const Author& author, Draft& draft) const {
  ASSIGN_OR_RETURN(ProfileHead before, store_.ReadHead(parsed.id));
  const NewText fresh{
      text.content(), request.channel(), request.origin(), {text.signatures().begin(), text.signatures().end()}};
  ASSIGN_OR_RETURN(Proposal proposal, maker_.Propose(std::move(before), parsed, fresh, author));
  v1::PlannedProfile& planned = *draft.plan.add_profiles();
  planned.set_profile_id(parsed.id);
  planned.set_action(proposal.action);
  planned.set_from_revision(proposal.base.revision());
  planned.set_from_version(proposal.base.version());
  planned.set_to_revision(parsed.revision);
  planned.set_to_version(parsed.version);
  planned.set_filename(text.filename());
  for (const v1::ProfileSignature& signature : proposal.commit.signatures) planned.add_key_ids(signature.key_id());
  if (proposal.action == v1::PLAN_ACTION_UNCHANGED) return absl::OkStatus();
  if (!proposal.commit.moves.empty()) planned.set_channel(proposal.commit.moves.back().channel());
  if (proposal.action == v1::PLAN_ACTION_UPDATE) {
    for (v1::FieldChange& change : CompareTexts(proposal.base.content(), text.content())) {
      *planned.add_changes() = std::move(change);
    }
    *planned.mutable_compatibility() = proposal.compatibility;
    draft.plan.set_verdict(std::max(draft.plan.verdict(), proposal.compatibility.verdict()));
  }
  AddEdit(proposal.commit, draft.edits);
  draft.commits.push_back(std::move(proposal.commit));
  return absl::OkStatus();
}

absl::Status ProfilePlanner::AddDeletions(const std::vector<std::string>& kept, const Author& author,
                                          const rpc::ProjectScope& projects, Draft& draft) const {
  ProfilePage page;
  do {
    ASSIGN_OR_RETURN(page, store_.ListHeads(kMaxPageSize, page.next_page_token, projects));
    for (const v1::Profile& profile : page.profiles) {
      if (std::binary_search(kept.begin(), kept.end(), profile.id())) continue;
      ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(profile.id()));
      if (!head.live()) continue;
      v1::PlannedProfile& planned = *draft.plan.add_profiles();
      planned.set_profile_id(profile.id());
      planned.set_action(v1::PLAN_ACTION_DELETE);
      planned.set_from_revision(head.profile.revision());
      planned.set_from_version(head.profile.version());
      planned.set_channel(kProd);
      draft.commits.push_back(CommitDeletion(std::move(head), author));
      AddEdit(draft.commits.back(), draft.edits);
    }
  } while (!page.next_page_token.empty());
  return absl::OkStatus();
}

void ProfilePlanner::AddDrones(const rpc::ProjectScope& projects, Draft& draft) {
  if (draft.edits.edits().empty()) return;
  auto drones = preview_.Preview(draft.edits);
  if (!drones.ok()) {
    draft.plan.set_drones_unknown(std::string(drones.status().message()));
    return;
  }
  if (projects.bound()) KeepOwn(projects, *drones);
  draft.plan.mutable_drones()->Assign(drones->begin(), drones->end());
}

absl::StatusOr<ProfilePlanner::Draft> ProfilePlanner::MakeDraft(const v1::PlanProfilesRequest& request,
                                                                const Author& author,
                                                                const rpc::ProjectScope& projects) {
  RETURN_IF_ERROR(CheckRequest(request));
  ASSIGN_OR_RETURN(std::vector<chartly::Profile> parsed, ParseTexts(request));
  for (const chartly::Profile& profile : parsed) {
    if (!projects.Includes(profile.id)) return rpc::NotYourProject(author.actor, projects, profile.id);
  }
  Draft draft;
  draft.plan.set_verdict(v1::COMPATIBILITY_VERDICT_COMPATIBLE);
  std::vector<std::string> ids;
  for (int i = 0; i < request.profiles_size(); ++i) {
    ids.push_back(parsed[i].id);
    absl::Status added = AddText(request, request.profiles(i), parsed[i], author, draft);
    if (!added.ok())
      return request.profiles(i).filename().empty() ? added : Annotate(added, request.profiles(i).filename());
  }
  std::sort(ids.begin(), ids.end());
  if (request.prune()) RETURN_IF_ERROR(AddDeletions(ids, author, projects, draft));
  auto& profiles = *draft.plan.mutable_profiles();
  std::sort(profiles.begin(), profiles.end(),
            [](const auto& a, const auto& b) { return a.profile_id() < b.profile_id(); });
  auto& edits = *draft.edits.mutable_edits();
  std::sort(edits.begin(), edits.end(), [](const auto& a, const auto& b) { return a.profile_id() < b.profile_id(); });
  if (!request.without_drones()) AddDrones(projects, draft);
  draft.plan.set_hash(PlanHash(request, draft.plan));
  draft.plan.set_name(kPlans + draft.plan.hash());
  return draft;
}

absl::StatusOr<v1::ProfilePlan> ProfilePlanner::Plan(const v1::PlanProfilesRequest& request, const std::string& actor,
                                                     const rpc::ProjectScope& projects) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(Draft draft, MakeDraft(request, {now, actor, ""}, projects));
  *draft.plan.mutable_create_time() = ToTimestamp(now);
  *draft.plan.mutable_expire_time() = ToTimestamp(now + PlanStore::kLifetime);
  storage::v1::StoredPlan stored;
  *stored.mutable_request() = request;
  *stored.mutable_plan() = draft.plan;
  stored.mutable_projects()->Assign(projects.projects().begin(), projects.projects().end());
  RETURN_IF_ERROR(plans_.Put(stored, now));
  return std::move(draft.plan);
}

absl::StatusOr<storage::v1::StoredPlan> ProfilePlanner::Find(const std::string& hash,
                                                             const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(storage::v1::StoredPlan stored, plans_.Get(hash, clock_.Now()));
  const auto& planned = stored.plan().profiles();
  const bool visible = std::all_of(planned.begin(), planned.end(), [&](const v1::PlannedProfile& profile) {
    return projects.Includes(profile.profile_id());
  });
  // What it tells of drones may name profiles of all projects, unless it was made for some.
  if (!visible || !projects.Covers(ScopeOf(stored))) return PlanStore::NotThere(hash);
  return stored;
}

absl::StatusOr<v1::ProfilePlan> ProfilePlanner::Get(const v1::GetProfilePlanRequest& request,
                                                    const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(std::string hash, ParsePlanName(request.name()));
  ASSIGN_OR_RETURN(storage::v1::StoredPlan stored, Find(hash, projects));
  return std::move(*stored.mutable_plan());
}

absl::StatusOr<v1::ProfilePlan> ProfilePlanner::Apply(const v1::ApplyProfilePlanRequest& request,
                                                      const std::string& actor, const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(std::string hash, ParsePlanName(request.name()));
  ASSIGN_OR_RETURN(storage::v1::StoredPlan stored, Find(hash, projects));
  return RetryOnConflict([&]() -> absl::StatusOr<v1::ProfilePlan> {
    const Author author{clock_.Now(), actor, absl::StrCat("plan ", hash)};
    ASSIGN_OR_RETURN(Draft draft, MakeDraft(stored.request(), author, ScopeOf(stored)));
    v1::ProfilePlan answer = stored.plan();
    if (ChangesNothing(draft.plan)) {
      answer.set_already_applied(true);
      return answer;
    }
    if (draft.plan.hash() != hash) {
      return Error(absl::StatusCode::kFailedPrecondition, "PLAN_DRIFTED",
                   absl::StrCat("things changed since the plan was made: ", DriftText(stored.plan(), draft.plan),
                                ". Nothing was applied; plan again"),
                   {{"plan", hash}});
    }
    for (const v1::PlannedProfile& planned : draft.plan.profiles()) {
      RETURN_IF_ERROR(RequireConsent(planned.compatibility(), request.allow_breaking(), planned.profile_id()));
    }
    RETURN_IF_ERROR(store_.Commit(draft.commits));
    return answer;
  });
}

}  // namespace chartly::registry
