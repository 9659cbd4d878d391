// The channels and signatures of a Registry.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/state/retry.h"
#include "common/status/status.h"
#include "control/registry/channels.h"
#include "control/registry/compatibility.h"
#include "control/registry/profile_name.h"
#include "control/registry/registry.h"

namespace chartly::registry {
namespace {

constexpr size_t kMaxReason = 1000;
constexpr int kRecentRevisions = 100;

absl::Status CheckReason(const std::string& reason, bool required) {
  if (reason.size() <= kMaxReason && (!required || !reason.empty())) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "REASON_INVALID",
               absl::StrCat("reason must be said, in at most ", kMaxReason, " bytes: it stays in the history"),
               {{"field", "reason"}});
}

absl::Status NothingBefore(const std::string& id, const std::string& channel) {
  return Error(absl::StatusCode::kFailedPrecondition, "CHANNEL_AT_ITS_FIRST",
               absl::StrCat("channel ", channel, " of profile '", id,
                            "' never had another revision; name the one to go back to, if it is kept"),
               {{"profile", id}, {"channel", channel}});
}

bool WasAt(const std::vector<v1::ChannelMove>& moves, const std::string& channel, const std::string& revision) {
  return std::any_of(moves.begin(), moves.end(), [&](const v1::ChannelMove& move) {
    return move.channel() == channel && (move.to_revision() == revision || move.from_revision() == revision);
  });
}

}  // namespace

v1::ProfileChannels ChannelsMessage(const ProfileHead& head) {
  v1::ProfileChannels message = head.channels;
  message.set_name(ProfileNameOf(head.profile.id()));
  if (message.in_use()) return message;
  v1::ChannelPointer& prod = *message.add_pointers();
  prod.set_channel(kProd);
  prod.set_revision(head.profile.revision());
  prod.set_version(head.profile.version());
  prod.set_generation(head.profile.generation());
  *prod.mutable_move_time() = head.profile.create_time();
  return message;
}

absl::StatusOr<v1::ProfileChannels> Registry::Channels(const v1::GetProfileChannelsRequest& request) const {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
  return ChannelsMessage(head);
}

absl::StatusOr<v1::ListChannelMovesResponse> Registry::ListMoves(const v1::ListChannelMovesRequest& request) const {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("parent", request.parent()));
  ASSIGN_OR_RETURN(MovePage page, store_.ListMoves(id, request.page_size(), request.page_token()));
  v1::ListChannelMovesResponse response;
  response.mutable_moves()->Assign(page.moves.begin(), page.moves.end());
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::ProfileChannels> Registry::Promote(const v1::PromoteProfileRequest& request,
                                                      const std::string& actor) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  RETURN_IF_ERROR(CheckReason(request.reason(), false));
  return RetryOnConflict([&]() -> absl::StatusOr<v1::ProfileChannels> {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    RETURN_IF_ERROR(CheckPromotion(head.channels, id, request.channel()));
    const v1::ChannelPointer from = *PointerOf(head.channels, ChannelBefore(request.channel()));
    if (!request.revision().empty() && request.revision() != from.revision() && request.revision() != from.version()) {
      return Error(
          absl::StatusCode::kFailedPrecondition, "CHANNEL_HAS_ANOTHER",
          absl::StrCat("channel ", from.channel(), " of profile '", id, "' has ", from.version(), " (", from.revision(),
                       "), not '", request.revision(), "'; only what is there can go on to ", request.channel()),
          {{"profile", id}, {"channel", from.channel()}});
    }
    ASSIGN_OR_RETURN(v1::Profile revision, store_.ReadRevision(id, from.revision()));
    revision.set_generation(from.generation());
    if (const v1::ChannelPointer* to = PointerOf(head.channels, request.channel())) {
      if (to->revision() == from.revision()) return ChannelsMessage(head);
      ASSIGN_OR_RETURN(v1::Profile replaced, store_.ReadRevision(id, to->revision()));
      RETURN_IF_ERROR(
          RequireConsent(CompareRecordTexts(replaced.content(), revision.content()), request.allow_breaking(), id));
    }
    ProfileCommit commit = CommitPointer(std::move(head), request.channel(), revision, v1::CHANNEL_MOVE_KIND_PROMOTE,
                                         AuthorOf(actor, request.reason()));
    RETURN_IF_ERROR(store_.Commit({commit}));
    head.profile = std::move(commit.head);
    head.channels = *std::move(commit.channels);
    return ChannelsMessage(head);
  });
}

// A named revision that the channel had, or the one before the present.
absl::StatusOr<v1::Profile> Registry::RollBackTarget(const ProfileHead& head, const std::string& channel,
                                                     const std::string& reference) const {
  const std::string& id = head.profile.id();
  ASSIGN_OR_RETURN(std::vector<v1::ChannelMove> moves, store_.AllMoves(id));
  if (!reference.empty()) {
    ASSIGN_OR_RETURN(v1::Profile revision, store_.ReadRevision(id, reference));
    // What was applied to a profile without channels has run, also before moves were kept.
    if (!head.channels.in_use() || WasAt(moves, channel, revision.revision())) return revision;
    return Error(absl::StatusCode::kFailedPrecondition, "CHANNEL_NEVER_HAD_IT",
                 absl::StrCat("channel ", channel, " of profile '", id, "' never had ", revision.version(),
                              "; a rollback goes back to what was there, anything else is promoted"),
                 {{"profile", id}, {"channel", channel}});
  }
  std::string before = RevisionToGoBackTo(moves, channel);
  if (moves.empty()) {  // of a time before moves were kept
    ASSIGN_OR_RETURN(ProfilePage recent, store_.ListRevisions(id, kRecentRevisions, ""));
    for (const v1::Profile& revision : recent.profiles) {
      if (before.empty() && revision.revision() != head.profile.revision()) before = revision.revision();
    }
  }
  if (before.empty()) return NothingBefore(id, channel);
  return store_.ReadRevision(id, before);
}

absl::StatusOr<v1::ProfileChannels> Registry::RollBack(const v1::RollBackProfileRequest& request,
                                                       const std::string& actor) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  RETURN_IF_ERROR(CheckReason(request.reason(), true));
  const std::string channel = request.channel().empty() ? kProd : request.channel();
  if (!IsChannel(channel)) {
    return Error(absl::StatusCode::kInvalidArgument, "CHANNEL_INVALID",
                 absl::StrCat("'", channel.substr(0, 20), "' is not a channel; there are dev, staging and prod"),
                 {{"field", "channel"}});
  }
  return RetryOnConflict([&]() -> absl::StatusOr<v1::ProfileChannels> {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    const v1::ProfileChannels now = ChannelsMessage(head);
    const v1::ChannelPointer* pointer = PointerOf(now, channel);
    if (pointer == nullptr) return NothingBefore(id, channel);
    ASSIGN_OR_RETURN(v1::Profile target, RollBackTarget(head, channel, request.revision()));
    if (target.revision() == pointer->revision()) return now;
    const Author author = AuthorOf(actor, request.reason());
    ProfileCommit commit = head.channels.in_use()
                               ? CommitPointer(head, channel, target, v1::CHANNEL_MOVE_KIND_ROLLBACK, author)
                               : CommitReturn(head, std::move(target), author);
    RETURN_IF_ERROR(store_.Commit({commit}));
    head.profile = std::move(commit.head);
    if (commit.channels) head.channels = *std::move(commit.channels);
    return ChannelsMessage(head);
  });
}

absl::StatusOr<v1::Profile> Registry::Sign(const v1::SignProfileRequest& request, const std::string& actor) {
  ASSIGN_OR_RETURN(std::string id, ParsePlainProfileName("name", request.name()));
  if (request.revision().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "REVISION_MISSING",
                 "revision must name what was signed: a content hash or a version", {{"field", "revision"}});
  }
  return RetryOnConflict([&]() -> absl::StatusOr<v1::Profile> {
    ASSIGN_OR_RETURN(ProfileHead head, ReadLive(id));
    ASSIGN_OR_RETURN(v1::Profile revision, Resolve(id, request.revision()));
    ASSIGN_OR_RETURN(std::vector<v1::ProfileSignature> fresh,
                     maker_.FreshSignatures(id, revision.revision(), {request.signature()}));
    if (fresh.empty()) return revision;
    const std::vector<v1::ProfileSignature> all =
        JoinSignatures({revision.signatures().begin(), revision.signatures().end()}, fresh);
    revision.mutable_signatures()->Assign(all.begin(), all.end());
    RETURN_IF_ERROR(
        store_.Commit({CommitSignatures(std::move(head), revision.revision(), std::move(fresh), AuthorOf(actor))}));
    return revision;
  });
}

}  // namespace chartly::registry
