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

std::string LiveKey(absl::string_view id) { return absl::StrCat(kLiveHeads, id); }
std::string GoneKey(absl::string_view id) { return absl::StrCat(kGoneHeads, id); }
std::string RevisionPrefix(absl::string_view id) { return absl::StrCat("revision/", id, "/"); }
// Sixteen hex digits, so that generations sort as keys.
std::string GenerationText(int64_t generation) { return absl::StrCat(absl::Hex(generation, absl::kZeroPad16)); }
std::string HashKey(absl::string_view id, absl::string_view hash) { return absl::StrCat("hash/", id, "/", hash); }
std::string VersionKey(absl::string_view id, absl::string_view version) {
  return absl::StrCat("version/", id, "/", version);
}

absl::StatusOr<v1::Profile> Decode(const StateEntry& entry) {
  v1::Profile profile;
  if (profile.ParseFromString(entry.value)) return profile;
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of the registry is damaged; restore the store from a backup"),
               {{"key", entry.key}});
}

// Only our own reference lookups: an entry without one stays a plain NotFound.
absl::StatusOr<std::string> ValueOrEmpty(const StateStore& store, const std::string& key) {
  auto entry = store.Get(key);
  if (absl::IsNotFound(entry.status())) return std::string();
  RETURN_IF_ERROR(entry.status());
  return std::move(entry->value);
}

StateTransaction OnHead(const ProfileHead& before, absl::string_view id) {
  StateTransaction transaction;
  transaction.conditions = {{LiveKey(id), before.live_revision}, {GoneKey(id), before.gone_revision}};
  return transaction;
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
  return Decode(entry);
}

absl::StatusOr<ProfilePage> ProfileStore::ReadProfilePage(const std::string& prefix, int32_t page_size,
                                                          const std::string& page_token, bool reverse) const {
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, {prefix, page_size, page_token, reverse}));
  ProfilePage result;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(v1::Profile profile, Decode(entry));
    result.profiles.push_back(std::move(profile));
  }
  result.next_page_token = std::move(page.next_page_token);
  return result;
}

absl::StatusOr<ProfilePage> ProfileStore::ListHeads(int32_t page_size, const std::string& page_token) const {
  return ReadProfilePage(kLiveHeads, page_size, page_token, false);
}

absl::StatusOr<ProfilePage> ProfileStore::ListRevisions(absl::string_view id, int32_t page_size,
                                                        const std::string& page_token) const {
  return ReadProfilePage(RevisionPrefix(id), page_size, page_token, true);
}

absl::Status ProfileStore::AddRevision(const ProfileHead& before, const v1::Profile& revision) {
  const std::string& id = revision.id();
  StateTransaction transaction = OnHead(before, id);
  const std::string generation = GenerationText(revision.generation());
  const std::string bytes = revision.SerializeAsString();
  transaction.puts = {{LiveKey(id), bytes},
                      {RevisionPrefix(id) + generation, bytes},
                      {HashKey(id, revision.revision()), generation},
                      {VersionKey(id, revision.version()), revision.revision()}};
  if (before.gone_revision != 0) transaction.deletes = {GoneKey(id)};
  return store_.Commit(transaction).status();
}

absl::Status ProfileStore::ReplaceHead(const ProfileHead& before, const v1::Profile& head) {
  StateTransaction transaction = OnHead(before, head.id());
  transaction.puts = {{LiveKey(head.id()), head.SerializeAsString()}};
  return store_.Commit(transaction).status();
}

absl::Status ProfileStore::Delete(const ProfileHead& before, const v1::Profile& head) {
  StateTransaction transaction = OnHead(before, head.id());
  transaction.puts = {{GoneKey(head.id()), head.SerializeAsString()}};
  transaction.deletes = {LiveKey(head.id())};
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
