#include "control/registry/registry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/normalize/validate.h"
#include "common/state/retry.h"
#include "common/status/status.h"
#include "control/registry/channels.h"
#include "control/registry/compatibility.h"
#include "control/registry/profile_message.h"
#include "control/registry/profile_name.h"

namespace chartly::registry {
namespace {

constexpr char kNoFilename[] = "profile.yaml";
constexpr size_t kMaxFilename = 255;

absl::Status NotFound(absl::string_view id, bool deleted) {
  return Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND",
               deleted ? absl::StrCat("profile '", id, "' was deleted; PUT it again to bring it back")
                       : absl::StrCat("no profile '", id, "'; GET /api/profiles lists those there are"),
               {{"profile", id}});
}

// What a text is called in messages.
std::string FilenameOf(const std::string& given) {
  return given.empty() ? std::string(kNoFilename) : given.substr(0, kMaxFilename);
}

absl::StatusOr<absl::Duration> ParseScheduleTime(absl::string_view field, const std::string& text,
                                                 absl::Duration minimum) {
  auto duration = ParseDuration(text);
  if (duration.ok() && *duration >= minimum) return duration;
  return Error(absl::StatusCode::kInvalidArgument, "SCHEDULE_INVALID",
               absl::StrCat(field, " '", text, "' must be a time of at least ", DurationText(minimum),
                            ", such as 30s, 5m, 6h or 1d"),
               {{"field", field}});
}

}  // namespace

absl::StatusOr<ProfileHead> Registry::ReadLive(const std::string& id) const {
  ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(id));
  if (!head.live()) return NotFound(id, head.deleted);
  return head;
}

absl::StatusOr<v1::Profile> Registry::Resolve(const std::string& id, const std::string& reference) const {
  if (reference.empty()) {
    ASSIGN_OR_RETURN(ProfileHead live, ReadLive(id));
    return std::move(live.profile);
  }
  ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(id));
  if (!head.known) return NotFound(id, false);
  if (IsChannel(reference)) return ResolveChannel(head, reference);
  ASSIGN_OR_RETURN(v1::Profile revision, store_.ReadRevision(id, reference));
  ShowChannels(head.channels, revision);
  return revision;
}

absl::StatusOr<v1::Profile> Registry::ResolveChannel(const ProfileHead& head, const std::string& channel) const {
  if (!head.live()) return NotFound(head.profile.id(), head.deleted);
  // What runs is the head, with its pause and schedule; without channels, all of them are that.
  if (!head.channels.in_use() || (channel == kProd && !head.profile.unreleased())) return head.profile;
  if (const v1::ChannelPointer* pointer = PointerOf(head.channels, channel)) {
    ASSIGN_OR_RETURN(v1::Profile revision, store_.ReadRevision(head.profile.id(), pointer->revision()));
    ShowChannels(head.channels, revision);
    return revision;
  }
  return Error(
      absl::StatusCode::kNotFound, "CHANNEL_EMPTY",
      absl::StrCat("channel ", channel, " of profile '", head.profile.id(), "' has no revision yet; promote one to it"),
      {{"profile", head.profile.id()}, {"channel", channel}});
}

absl::StatusOr<v1::Profile> Registry::Get(const v1::GetProfileRequest& request) const {
  ASSIGN_OR_RETURN(ProfileName name, ParseProfileName("name", request.name()));
  return Resolve(name.id, name.reference);
}

absl::StatusOr<v1::ListProfilesResponse> Registry::List(const v1::ListProfilesRequest& request,
                                                        const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(ProfilePage page, store_.ListHeads(request.page_size(), request.page_token(), projects));
  v1::ListProfilesResponse response;
  for (v1::Profile& profile : page.profiles) *response.add_profiles() = std::move(profile);
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::ListProfileRevisionsResponse> Registry::ListRevisions(
    const v1::ListProfileRevisionsRequest& request) const {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("parent", request.parent()));
  ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(id));
  if (!head.known) return NotFound(id, false);
  ASSIGN_OR_RETURN(ProfilePage page, store_.ListRevisions(id, request.page_size(), request.page_token()));
  v1::ListProfileRevisionsResponse response;
  for (v1::Profile& profile : page.profiles) {
    ShowChannels(head.channels, profile);
    ASSIGN_OR_RETURN(std::vector<v1::ProfileSignature> signatures, store_.SignaturesOf(id, profile.revision()));
    profile.mutable_signatures()->Assign(signatures.begin(), signatures.end());
    *response.add_revisions() = std::move(profile);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::DiffProfileResponse> Registry::Diff(const v1::DiffProfileRequest& request) const {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  ASSIGN_OR_RETURN(v1::Profile target, Resolve(id, request.target()));
  v1::Profile base;
  if (!request.base().empty()) {
    ASSIGN_OR_RETURN(base, Resolve(id, request.base()));
  } else {
    ASSIGN_OR_RETURN(ProfilePage newest, store_.ListRevisions(id, 2, ""));
    if (newest.profiles.size() == 2) base = std::move(newest.profiles[1]);
  }
  v1::DiffProfileResponse response;
  response.set_base(base.revision());
  response.set_target(target.revision());
  for (v1::FieldChange& change : CompareTexts(base.content(), target.content())) {
    *response.add_changes() = std::move(change);
  }
  if (!base.content().empty()) *response.mutable_compatibility() = CompareRecordTexts(base.content(), target.content());
  return response;
}

absl::StatusOr<v1::ProfileFields> Registry::Fields(const v1::GetProfileFieldsRequest& request) const {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
  ASSIGN_OR_RETURN(chartly::Profile profile, ValidateProfileOrError(request.name(), head.profile.content()));
  return FieldsMessage(profile);
}

absl::StatusOr<v1::ValidateProfileResponse> Registry::Validate(const v1::ValidateProfileRequest& request) const {
  return ValidationMessage(ValidateProfile(request.content()));
}

Author Registry::AuthorOf(const std::string& actor, const std::string& reason) const {
  return {clock_.Now(), actor, reason};
}

absl::StatusOr<v1::Profile> Registry::Apply(ProfileHead before, const chartly::Profile& parsed, const NewText& text,
                                            bool allow_breaking, const std::string& actor) {
  ASSIGN_OR_RETURN(Proposal proposal, maker_.Propose(std::move(before), parsed, text, AuthorOf(actor)));
  RETURN_IF_ERROR(RequireConsent(proposal.compatibility, allow_breaking, parsed.id));
  if (proposal.action != v1::PLAN_ACTION_UNCHANGED) RETURN_IF_ERROR(store_.Commit({proposal.commit}));
  return std::move(proposal.revision);
}

absl::StatusOr<v1::Profile> Registry::Create(const v1::CreateProfileRequest& request, const std::string& actor,
                                             const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(chartly::Profile parsed, ValidateProfileOrError(FilenameOf(request.filename()), request.content()));
  if (!projects.Includes(parsed.id)) return rpc::NotYourProject(actor, projects, parsed.id);
  const NewText text{request.content(), request.channel(), {}, {}};
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(parsed.id));
    if (head.live() && head.profile.revision() != parsed.revision) {
      return Error(absl::StatusCode::kAlreadyExists, "PROFILE_EXISTS",
                   absl::StrCat("profile '", parsed.id, "' exists with other content; to add a revision use PUT /api/",
                                ProfileNameOf(parsed.id)),
                   {{"profile", parsed.id}});
    }
    if (head.live()) return std::move(head.profile);
    if (!request.validate_only()) return Apply(std::move(head), parsed, text, true, actor);
    ASSIGN_OR_RETURN(Proposal proposal, maker_.Propose(std::move(head), parsed, text, AuthorOf(actor)));
    return std::move(proposal.revision);
  });
}

absl::StatusOr<v1::Profile> Registry::Update(const v1::UpdateProfileRequest& request, const std::string& actor) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  ASSIGN_OR_RETURN(chartly::Profile parsed, ValidateProfileOrError(FilenameOf(request.filename()), request.content()));
  if (parsed.id != id) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_ID_MISMATCH",
                 absl::StrCat("the text has id '", parsed.id, "', the request names '", id,
                              "'; make them equal, or POST the text to create another profile"),
                 {{"profile", id}});
  }
  const NewText text{request.content(), request.channel(), {}, {}};
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(id));
    return Apply(std::move(head), parsed, text, request.allow_breaking(), actor);
  });
}

absl::Status Registry::Delete(const v1::DeleteProfileRequest& request, const std::string& actor) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  return RetryOnConflict([&]() -> absl::Status {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    return store_.Commit({CommitDeletion(std::move(head), AuthorOf(actor))});
  });
}

absl::StatusOr<v1::Profile> Registry::ChangeHead(const std::string& id,
                                                 const std::function<bool(v1::Profile&)>& change) {
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    v1::Profile after = head.profile;
    if (!change(after)) return after;
    ProfileCommit commit = CommitHead(std::move(head), std::move(after), AuthorOf(""));
    RETURN_IF_ERROR(store_.Commit({commit}));
    return std::move(commit.head);
  });
}

absl::StatusOr<v1::Profile> Registry::Pause(const v1::PauseProfileRequest& request) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  return ChangeHead(id, [&](v1::Profile& profile) {
    if (profile.paused()) return false;
    profile.set_paused(true);
    profile.set_pause_reason(request.pause_reason());
    return true;
  });
}

absl::StatusOr<v1::Profile> Registry::Resume(const v1::ResumeProfileRequest& request) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  return ChangeHead(id, [](v1::Profile& profile) {
    if (!profile.paused()) return false;
    profile.set_paused(false);
    profile.clear_pause_reason();
    return true;
  });
}

absl::StatusOr<v1::Profile> Registry::SetSchedule(const v1::SetProfileScheduleRequest& request) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  absl::Duration interval;
  absl::Duration jitter;
  if (!request.interval().empty()) {
    ASSIGN_OR_RETURN(interval, ParseScheduleTime("interval", request.interval(), absl::Seconds(1)));
  }
  if (!request.jitter().empty()) {
    ASSIGN_OR_RETURN(jitter, ParseScheduleTime("jitter", request.jitter(), absl::ZeroDuration()));
  }
  return ChangeHead(id, [&](v1::Profile& profile) {
    const std::string before = profile.SerializeAsString();
    if (!request.interval().empty()) *profile.mutable_interval() = DurationMessage(interval);
    if (!request.jitter().empty()) *profile.mutable_jitter() = DurationMessage(jitter);
    if (request.has_enabled()) profile.set_enabled(request.enabled());
    return profile.SerializeAsString() != before;
  });
}

absl::Status Registry::Health() const { return store_.ReadHead("health").status(); }

}  // namespace chartly::registry
