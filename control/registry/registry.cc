#include "control/registry/registry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/normalize/validate.h"
#include "common/state/retry.h"
#include "common/status/status.h"
#include "control/registry/profile_message.h"
#include "control/registry/profile_name.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::registry {
namespace {

using google::protobuf::util::TimeUtil;

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
  return store_.ReadRevision(id, reference);
}

absl::StatusOr<v1::Profile> Registry::Get(const v1::GetProfileRequest& request) const {
  ASSIGN_OR_RETURN(ProfileName name, ParseProfileName("name", request.name()));
  return Resolve(name.id, name.reference);
}

absl::StatusOr<v1::ListProfilesResponse> Registry::List(const v1::ListProfilesRequest& request) const {
  ASSIGN_OR_RETURN(ProfilePage page, store_.ListHeads(request.page_size(), request.page_token()));
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
  for (v1::Profile& profile : page.profiles) *response.add_revisions() = std::move(profile);
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

void Registry::Stamp(v1::Profile& profile, const ProfileHead& before) const {
  profile.set_generation(before.profile.generation() + 1);
  *profile.mutable_update_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
}

absl::StatusOr<v1::Profile> Registry::AddRevision(const ProfileHead& before, const chartly::Profile& parsed,
                                                  const std::string& content, bool validate_only) {
  ASSIGN_OR_RETURN(std::string used_for, store_.HashOfVersion(parsed.id, parsed.version));
  if (!used_for.empty() && used_for != parsed.revision) {
    return Error(absl::StatusCode::kFailedPrecondition, "PROFILE_VERSION_REUSED",
                 absl::StrCat("version ", parsed.version, " of profile '", parsed.id, "' was used for other content (",
                              used_for, "); raise the version in the text"),
                 {{"profile", parsed.id}, {"version", parsed.version}});
  }
  v1::Profile revision = ProfileMessage(parsed, content);
  Stamp(revision, before);
  *revision.mutable_create_time() = revision.update_time();
  if (before.live()) {  // an operator's pause holds until it is lifted
    revision.set_paused(before.profile.paused());
    revision.set_pause_reason(before.profile.pause_reason());
  }
  if (!validate_only) RETURN_IF_ERROR(store_.AddRevision(before, revision));
  return revision;
}

absl::StatusOr<v1::Profile> Registry::Create(const v1::CreateProfileRequest& request) {
  ASSIGN_OR_RETURN(chartly::Profile parsed, ValidateProfileOrError(FilenameOf(request.filename()), request.content()));
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(parsed.id));
    if (!head.live()) return AddRevision(head, parsed, request.content(), request.validate_only());
    if (head.profile.revision() == parsed.revision) return std::move(head.profile);
    return Error(absl::StatusCode::kAlreadyExists, "PROFILE_EXISTS",
                 absl::StrCat("profile '", parsed.id, "' exists with other content; to add a revision use PUT /api/",
                              ProfileNameOf(parsed.id)),
                 {{"profile", parsed.id}});
  });
}

absl::StatusOr<v1::Profile> Registry::Update(const v1::UpdateProfileRequest& request) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  ASSIGN_OR_RETURN(chartly::Profile parsed, ValidateProfileOrError(FilenameOf(request.filename()), request.content()));
  if (parsed.id != id) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_ID_MISMATCH",
                 absl::StrCat("the text has id '", parsed.id, "', the request names '", id,
                              "'; make them equal, or POST the text to create another profile"),
                 {{"profile", id}});
  }
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(id));
    if (head.live() && head.profile.revision() == parsed.revision) return std::move(head.profile);
    return AddRevision(head, parsed, request.content(), false);
  });
}

absl::Status Registry::Delete(const v1::DeleteProfileRequest& request) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  return RetryOnConflict([&]() -> absl::Status {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    v1::Profile gone = head.profile;
    Stamp(gone, head);
    return store_.Delete(head, gone);
  });
}

absl::StatusOr<v1::Profile> Registry::ChangeHead(const std::string& id,
                                                 const std::function<bool(v1::Profile&)>& change) {
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    v1::Profile after = head.profile;
    if (!change(after)) return after;
    Stamp(after, head);
    RETURN_IF_ERROR(store_.ReplaceHead(head, after));
    return after;
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
