#include "control/registry/profile_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/state/state_page.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

constexpr char kHeads[] = "head/";
constexpr char kLiveHeads[] = "head/live/";
constexpr char kGoneHeads[] = "head/gone/";
constexpr size_t kMaxMoves = 10'000;

std::string LiveKey(absl::string_view id) { return absl::StrCat(kLiveHeads, id); }
std::string GoneKey(absl::string_view id) { return absl::StrCat(kGoneHeads, id); }
std::string RevisionPrefix(absl::string_view id) { return absl::StrCat("revision/", id, "/"); }
// Sixteen hex digits, so that generations sort as keys.
std::string GenerationText(int64_t generation) { return absl::StrCat(absl::Hex(generation, absl::kZeroPad16)); }
std::string HashKey(absl::string_view id, absl::string_view hash) { return absl::StrCat("hash/", id, "/", hash); }
std::string VersionKey(absl::string_view id, absl::string_view version) {
  return absl::StrCat("version/", id, "/", version);
}

std::string ChannelsKey(absl::string_view id) { return absl::StrCat("channels/", id); }
std::string MovePrefix(absl::string_view id) { return absl::StrCat("move/", id, "/"); }
std::string SignaturePrefix(absl::string_view id, absl::string_view hash) {
  return absl::StrCat("signature/", id, "/", hash, "/");
}

template <typename Message>
absl::StatusOr<Message> DecodeAs(const StateEntry& entry) {
  Message message;
  if (message.ParseFromString(entry.value)) return message;
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of the registry is damaged; restore the store from a backup"),
               {{"key", entry.key}});
}

absl::StatusOr<v1::Profile> Decode(const StateEntry& entry) { return DecodeAs<v1::Profile>(entry); }

// Only our own reference lookups: an entry without one stays a plain NotFound.
absl::StatusOr<std::string> ValueOrEmpty(const StateStore& store, const std::string& key) {
  auto entry = store.Get(key);
  if (absl::IsNotFound(entry.status())) return std::string();
  RETURN_IF_ERROR(entry.status());
  return std::move(entry->value);
}

// What is filled in when a revision is read is not kept with it.
std::string RevisionBytes(v1::Profile revision) {
  revision.clear_channels();
  revision.clear_signatures();
  return revision.SerializeAsString();
}

void StageHead(const ProfileCommit& commit, const std::string& id, StateTransaction& transaction) {
  const ProfileHead& before = commit.before;
  transaction.conditions.push_back({LiveKey(id), before.live_revision});
  transaction.conditions.push_back({GoneKey(id), before.gone_revision});
  transaction.conditions.push_back({ChannelsKey(id), before.channels_revision});
  transaction.puts.push_back({commit.deleted ? GoneKey(id) : LiveKey(id), commit.head.SerializeAsString()});
  if (commit.deleted) {
    transaction.deletes.push_back(LiveKey(id));
    if (before.channels_revision != 0) transaction.deletes.push_back(ChannelsKey(id));
  } else if (before.gone_revision != 0) {
    transaction.deletes.push_back(GoneKey(id));
  }
}

void Stage(const ProfileCommit& commit, StateTransaction& transaction) {
  const std::string& id = commit.head.id();
  const std::string generation = GenerationText(commit.head.generation());
  StageHead(commit, id, transaction);
  if (commit.revision) {
    transaction.puts.push_back({RevisionPrefix(id) + generation, RevisionBytes(*commit.revision)});
    transaction.puts.push_back({HashKey(id, commit.revision->revision()), generation});
    transaction.puts.push_back({VersionKey(id, commit.revision->version()), commit.revision->revision()});
  }
  if (commit.channels && !commit.deleted) {
    transaction.puts.push_back({ChannelsKey(id), commit.channels->SerializeAsString()});
  }
  for (size_t i = 0; i < commit.moves.size(); ++i) {
    transaction.puts.push_back({absl::StrCat(MovePrefix(id), generation, i), commit.moves[i].SerializeAsString()});
  }
  for (const v1::ProfileSignature& signature : commit.signatures) {
    transaction.puts.push_back(
        {SignaturePrefix(id, commit.signed_revision) + signature.key_id(), signature.SerializeAsString()});
  }
}

}  // namespace

absl::StatusOr<ProfileHead> ProfileStore::ReadHead(absl::string_view id) const {
  ProfileHead head;
  for (bool deleted : {false, true}) {
    auto entry = store_.Get(deleted ? GoneKey(id) : LiveKey(id));
    if (absl::IsNotFound(entry.status())) continue;
    RETURN_IF_ERROR(entry.status());
    (deleted ? head.gone_revision : head.live_revision) = entry->revision;
    if (head.known) continue;
    ASSIGN_OR_RETURN(head.profile, Decode(*entry));
    head.known = true;
    head.deleted = deleted;
  }
  auto channels = store_.Get(ChannelsKey(id));
  if (absl::IsNotFound(channels.status())) return head;
  RETURN_IF_ERROR(channels.status());
  head.channels_revision = channels->revision;
  ASSIGN_OR_RETURN(head.channels, DecodeAs<v1::ProfileChannels>(*channels));
  return head;
}

absl::StatusOr<std::string> ProfileStore::HashOfVersion(absl::string_view id, absl::string_view version) const {
  return ValueOrEmpty(store_, VersionKey(id, version));
}

absl::StatusOr<v1::Profile> ProfileStore::ReadRevision(absl::string_view id, absl::string_view reference) const {
  std::string hash(reference);
  if (!absl::StartsWith(reference, "sha256:")) {
    ASSIGN_OR_RETURN(hash, HashOfVersion(id, reference));
  }
  ASSIGN_OR_RETURN(std::string generation, ValueOrEmpty(store_, HashKey(id, hash)));
  if (generation.empty()) {
    return Error(absl::StatusCode::kNotFound, "REVISION_NOT_FOUND",
                 absl::StrCat("profile '", id, "' has no revision '", reference,
                              "'; its revisions are listed at /api/profiles/", id, "/revisions"),
                 {{"profile", id}, {"revision", reference}});
  }
  ASSIGN_OR_RETURN(StateEntry entry, store_.Get(absl::StrCat(RevisionPrefix(id), generation)));
  ASSIGN_OR_RETURN(v1::Profile revision, Decode(entry));
  ASSIGN_OR_RETURN(std::vector<v1::ProfileSignature> signatures, SignaturesOf(id, revision.revision()));
  revision.mutable_signatures()->Assign(signatures.begin(), signatures.end());
  return revision;
}

absl::StatusOr<ProfilePage> ProfileStore::ReadProfilePage(const StatePageQuery& query) const {
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, query));
  ProfilePage result;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(v1::Profile profile, Decode(entry));
    result.profiles.push_back(std::move(profile));
  }
  result.next_page_token = std::move(page.next_page_token);
  return result;
}

absl::StatusOr<ProfilePage> ProfileStore::ListHeads(int32_t page_size, const std::string& page_token,
                                                    const rpc::ProjectScope& projects) const {
  StatePageQuery query{kLiveHeads, page_size, page_token};
  if (projects.bound()) {
    query.takes = [&projects](const StateEntry& entry) {
      return projects.Includes(absl::string_view(entry.key).substr(sizeof(kLiveHeads) - 1));
    };
  }
  return ReadProfilePage(query);
}

absl::StatusOr<ProfilePage> ProfileStore::ListRevisions(absl::string_view id, int32_t page_size,
                                                        const std::string& page_token) const {
  return ReadProfilePage({RevisionPrefix(id), page_size, page_token, true});
}

absl::StatusOr<MovePage> ProfileStore::ListMoves(absl::string_view id, int32_t page_size,
                                                 const std::string& page_token) const {
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, {MovePrefix(id), page_size, page_token, true}));
  MovePage result;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(v1::ChannelMove move, DecodeAs<v1::ChannelMove>(entry));
    result.moves.push_back(std::move(move));
  }
  result.next_page_token = std::move(page.next_page_token);
  return result;
}

absl::StatusOr<std::vector<v1::ChannelMove>> ProfileStore::AllMoves(absl::string_view id) const {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(MovePrefix(id), "", kMaxMoves, true));
  std::vector<v1::ChannelMove> moves;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    ASSIGN_OR_RETURN(v1::ChannelMove move, DecodeAs<v1::ChannelMove>(*entry));
    moves.push_back(std::move(move));
  }
  return moves;
}

absl::StatusOr<std::vector<v1::ProfileSignature>> ProfileStore::SignaturesOf(absl::string_view id,
                                                                             absl::string_view hash) const {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(SignaturePrefix(id, hash)));
  std::vector<v1::ProfileSignature> signatures;
  for (const StateEntry& entry : entries) {
    ASSIGN_OR_RETURN(v1::ProfileSignature signature, DecodeAs<v1::ProfileSignature>(entry));
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

absl::Status ProfileStore::Commit(const std::vector<ProfileCommit>& commits) {
  StateTransaction transaction;
  for (const ProfileCommit& commit : commits) Stage(commit, transaction);
  return store_.Commit(transaction).status();
}

std::unique_ptr<StateStore::Subscription> ProfileStore::WatchHeads(
    std::function<void(const std::string& id)> callback) {
  return store_.Watch(kHeads, [callback = std::move(callback)](const StateChange& change) {
    // A deletion puts the head of the gone beside; one of the two changes is enough.
    if (!change.deleted) callback(change.entry.key.substr(sizeof(kLiveHeads) - 1));
  });
}

}  // namespace chartly::registry
