#include "control/registry/revision_maker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/registry/channels.h"
#include "control/registry/compatibility.h"
#include "control/registry/profile_message.h"

namespace chartly::registry {
namespace {

constexpr size_t kSignatureBytes = 64;
constexpr size_t kKeyIdChars = 16;
constexpr size_t kMaxSignatures = 8;  // of one revision

absl::Status CheckShape(const v1::ProfileSignature& signature) {
  const std::string& key_id = signature.key_id();
  const bool is_hex = std::all_of(key_id.begin(), key_id.end(),
                                  [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
  if (key_id.size() == kKeyIdChars && is_hex && signature.signature().size() == kSignatureBytes &&
      signature.counter() > 0) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kInvalidArgument, "SIGNATURE_MALFORMED",
               "a signature has a key_id of 16 lower-case hex digits, 64 bytes and a counter above 0; make it with: "
               "chartly profile sign");
}

bool SameSignature(const v1::ProfileSignature& a, const v1::ProfileSignature& b) {
  return a.counter() == b.counter() && a.signature() == b.signature() &&
         a.expire_time().seconds() == b.expire_time().seconds();
}

}  // namespace

absl::StatusOr<std::vector<v1::ProfileSignature>> RevisionMaker::FreshSignatures(
    const std::string& id, const std::string& revision, const std::vector<v1::ProfileSignature>& given) const {
  ASSIGN_OR_RETURN(std::vector<v1::ProfileSignature> kept, store_.SignaturesOf(id, revision));
  std::vector<v1::ProfileSignature> fresh;
  for (const v1::ProfileSignature& signature : JoinSignatures({}, given)) {
    RETURN_IF_ERROR(CheckShape(signature));
    auto of_key =
        std::find_if(kept.begin(), kept.end(), [&](const auto& s) { return s.key_id() == signature.key_id(); });
    if (of_key != kept.end() && SameSignature(*of_key, signature)) continue;
    if (of_key != kept.end() && of_key->counter() >= signature.counter()) {
      return Error(absl::StatusCode::kFailedPrecondition, "SIGNATURE_OLDER",
                   absl::StrCat("key ", signature.key_id(), " signed this revision of profile '", id, "' with counter ",
                                of_key->counter(), " already; sign it with a higher one"),
                   {{"profile", id}});
    }
    fresh.push_back(signature);
  }
  if (JoinSignatures(kept, fresh).size() <= kMaxSignatures) return fresh;
  return Error(absl::StatusCode::kFailedPrecondition, "SIGNATURES_TOO_MANY",
               absl::StrCat("a revision has at most ", kMaxSignatures, " signatures"), {{"profile", id}});
}

absl::StatusOr<v1::Profile> RevisionMaker::BaseOf(const ProfileHead& before) const {
  if (!before.live()) return v1::Profile();
  const v1::ChannelPointer* dev = PointerOf(before.channels, kDev);
  if (dev == nullptr || dev->revision() == before.profile.revision()) return before.profile;
  return store_.ReadRevision(before.profile.id(), dev->revision());
}

absl::Status RevisionMaker::CheckVersion(const chartly::Profile& parsed) const {
  ASSIGN_OR_RETURN(std::string used_for, store_.HashOfVersion(parsed.id, parsed.version));
  if (used_for.empty() || used_for == parsed.revision) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "PROFILE_VERSION_REUSED",
               absl::StrCat("version ", parsed.version, " of profile '", parsed.id, "' was used for other content (",
                            used_for, "); raise the version in the text"),
               {{"profile", parsed.id}, {"version", parsed.version}});
}

absl::StatusOr<Proposal> RevisionMaker::Propose(ProfileHead before, const chartly::Profile& parsed, const NewText& text,
                                                const Author& author) const {
  if (!text.channel.empty() && text.channel != kDev) {
    return Error(absl::StatusCode::kInvalidArgument, "CHANNEL_INVALID",
                 absl::StrCat("a text cannot be applied to channel '", text.channel.substr(0, 20),
                              "': it enters at dev and is promoted from there"),
                 {{"field", "channel"}});
  }
  ASSIGN_OR_RETURN(std::vector<v1::ProfileSignature> fresh,
                   FreshSignatures(parsed.id, parsed.revision, text.signatures));
  Proposal proposal;
  ASSIGN_OR_RETURN(proposal.base, BaseOf(before));
  const bool enters = !text.channel.empty() && !before.channels.in_use();
  if (proposal.base.revision() == parsed.revision && !enters) {
    proposal.revision = proposal.base;
    proposal.action = fresh.empty() ? v1::PLAN_ACTION_UNCHANGED : v1::PLAN_ACTION_SIGN;
    if (!fresh.empty()) {
      std::vector<v1::ProfileSignature> all =
          JoinSignatures({proposal.base.signatures().begin(), proposal.base.signatures().end()}, fresh);
      proposal.revision.mutable_signatures()->Assign(all.begin(), all.end());
      proposal.commit = CommitSignatures(std::move(before), parsed.revision, std::move(fresh), author);
    }
    return proposal;
  }
  RETURN_IF_ERROR(CheckVersion(parsed));
  proposal.action = before.live() ? v1::PLAN_ACTION_UPDATE : v1::PLAN_ACTION_CREATE;
  if (before.live()) proposal.compatibility = CompareRecordTexts(proposal.base.content(), text.content);
  v1::Profile revision = ProfileMessage(parsed, text.content);
  if (!text.origin.commit().empty()) *revision.mutable_origin() = text.origin;
  ASSIGN_OR_RETURN(std::vector<v1::ProfileSignature> kept, store_.SignaturesOf(parsed.id, parsed.revision));
  const std::vector<v1::ProfileSignature> all = JoinSignatures(kept, fresh);
  revision.mutable_signatures()->Assign(all.begin(), all.end());
  proposal.commit = CommitRevision(std::move(before), std::move(revision), std::move(fresh), enters, author);
  proposal.revision = *proposal.commit.revision;
  return proposal;
}

}  // namespace chartly::registry
