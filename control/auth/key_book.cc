#include "control/auth/key_book.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/rpc/credential_directory.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/auth/tenant_choice.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::auth {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr char kKeys[] = "key/";
constexpr char kNames[] = "keys/";
constexpr size_t kMaxDisplayName = 200;
constexpr absl::Duration kUseGrain = absl::Hours(1);

Timestamp ToTimestamp(absl::Time time) { return TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time)); }
absl::Time ToTime(const Timestamp& time) { return absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(time)); }

absl::string_view IdOf(absl::string_view name) { return absl::StripPrefix(name, kNames); }

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", absl::StrCat(field, ": ", message),
               {{"field", field}});
}

absl::Status CheckFields(const v1::CreateKeyRequest& request) {
  if (!rpc::IsKeyId(request.key_id())) {
    return Invalid("key_id", "use lower-case letters, digits and '-', at most 39, beginning with no '-'");
  }
  if (request.display_name().size() > kMaxDisplayName) return Invalid("display_name", "at most 200 bytes");
  ASSIGN_OR_RETURN(rpc::Role role, rpc::ParseRole(request.role()));
  if (role == rpc::Role::kNone) return Invalid("role", "a key that may do nothing is of no use");
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> ExpiryOf(const v1::CreateKeyRequest& request, absl::Time now) {
  if (!request.has_expire_time()) return now + KeyBook::kDefaultLife;
  const absl::Time expiry = ToTime(request.expire_time());
  if (expiry <= now) return Invalid("expire_time", "lies in the past");
  if (expiry > now + KeyBook::kMaxLife) return Invalid("expire_time", "lies more than 400 days ahead");
  return expiry;
}

absl::StatusOr<rpc::ProjectScope> ProjectsOf(const v1::CreateKeyRequest& request, absl::string_view tenant,
                                             const rpc::Caller& caller) {
  ASSIGN_OR_RETURN(rpc::ProjectScope asked,
                   rpc::ProjectScope::Parse({request.projects().begin(), request.projects().end()}));
  if (!asked.bound() && tenant == caller.tenant) asked = caller.projects;
  // The projects of another tenant are others, whatever their names.
  if (caller.projects.Covers(asked) && (!caller.projects.bound() || tenant == caller.tenant)) return asked;
  return Error(absl::StatusCode::kPermissionDenied, "PROJECT_NOT_YOURS",
               absl::StrCat(caller.principal, " is bound to ", caller.projects.Text(),
                            " and makes keys of these only; leave projects and tenant out"));
}

rpc::ProjectScope ScopeOf(const v1::ApiKey& key) {
  if (key.projects().empty()) return rpc::ProjectScope();
  return rpc::ProjectScope::BoundTo({key.projects().begin(), key.projects().end()});
}

// As it is listed: in the store the role of a bound key stands apart.
v1::ApiKey Shown(const storage::v1::StoredKey& stored) {
  v1::ApiKey key = stored.key();
  if (!stored.bound_role().empty()) key.set_role(stored.bound_role());
  return key;
}

bool IsFor(const rpc::Caller& caller, const v1::ApiKey& key) {
  const bool same_tenant = !caller.projects.bound() || key.tenant() == caller.tenant;
  return same_tenant && caller.projects.Covers(ScopeOf(key));
}

absl::StatusOr<std::string> GiveSecret(storage::v1::StoredKey& stored) {
  ASSIGN_OR_RETURN(std::string secret, rpc::MakeKey(IdOf(stored.key().name())));
  stored.set_digest(std::string(rpc::AsText(rpc::DigestOf(secret))));
  return secret;
}

bool HasSecret(const storage::v1::StoredKey& stored, absl::string_view digest, absl::Time now) {
  const bool is_present = rpc::SameDigest(stored.digest(), digest);
  const bool is_previous = rpc::SameDigest(stored.previous_digest(), digest);
  return is_present || (is_previous && now < ToTime(stored.key().previous_expire_time()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyBook>> KeyBook::Open(StateStore& store, Clock& clock) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store.Range(kKeys));
  std::unique_ptr<KeyBook> book(new KeyBook(store, clock));
  absl::MutexLock lock(&book->mu_);
  for (const StateEntry& entry : entries) {
    StoredKey stored;
    if (!stored.ParseFromString(entry.value)) {
      return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
                   absl::StrCat("entry '", entry.key, "' of auth is damaged; restore the store from a backup"),
                   {{"key", entry.key}});
    }
    book->keys_.emplace(std::string(IdOf(stored.key().name())), std::move(stored));
  }
  return book;
}

absl::StatusOr<v1::IssuedKey> KeyBook::Create(const v1::CreateKeyRequest& request, const rpc::Caller& caller) {
  RETURN_IF_ERROR(CheckFields(request));
  ASSIGN_OR_RETURN(const std::string tenant, ChooseTenant(request.tenant(), caller));
  const std::string id = rpc::KeyIdIn(tenant, request.key_id());
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const absl::Time expiry, ExpiryOf(request, now));
  ASSIGN_OR_RETURN(const rpc::ProjectScope projects, ProjectsOf(request, tenant, caller));
  StoredKey stored;
  v1::ApiKey& key = *stored.mutable_key();
  key.set_name(absl::StrCat(kNames, id));
  key.set_display_name(request.display_name());
  key.set_role(request.role());
  if (projects.bound()) {
    key.mutable_projects()->Assign(projects.projects().begin(), projects.projects().end());
    // An auth part of a version that knows no projects may read this, too.
    stored.set_bound_role(request.role());
    key.set_role("none");
  }
  key.set_tenant(tenant);
  key.set_created_by(caller.principal);
  *key.mutable_create_time() = ToTimestamp(now);
  *key.mutable_expire_time() = ToTimestamp(expiry);
  ASSIGN_OR_RETURN(std::string secret, GiveSecret(stored));
  absl::MutexLock lock(&mu_);
  if (keys_.count(id) > 0) {
    return Error(absl::StatusCode::kAlreadyExists, "KEY_EXISTS",
                 absl::StrCat("there is or was a key '", id, "'; choose another id, or rotate that one"),
                 {{"key", id}});
  }
  RETURN_IF_ERROR(CheckRoom(tenant));
  RETURN_IF_ERROR(Put(stored));
  v1::IssuedKey issued;
  *issued.mutable_key() = Shown(stored);
  issued.set_secret(std::move(secret));
  return issued;
}

absl::Status KeyBook::CheckRoom(absl::string_view tenant) const {
  size_t most = kMaxKeys;
  size_t taken = keys_.size();
  if (tenant != rpc::kDefaultTenant && taken < most) {
    const std::string prefix = rpc::KeyIdIn(tenant, "");
    most = kMaxKeysOfTenant;
    taken = 0;
    for (auto it = keys_.lower_bound(prefix); it != keys_.end() && absl::StartsWith(it->first, prefix); ++it) ++taken;
  }
  if (taken < most) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "KEYS_TOO_MANY",
               absl::StrCat("there are ", most, " keys already, those that ended included"));
}

absl::StatusOr<v1::ListKeysResponse> KeyBook::List(const v1::ListKeysRequest& request,
                                                   const rpc::Caller& caller) const {
  const std::string prefix = absl::StrCat(kKeys, rpc::KeyIdIn(caller.tenant, ""));
  StatePageQuery query{prefix, request.page_size(), request.page_token(), false};
  if (caller.projects.bound()) {
    query.takes = [&caller](const StateEntry& entry) {
      StoredKey stored;
      return stored.ParseFromString(entry.value) && IsFor(caller, stored.key());
    };
  }
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, query));
  v1::ListKeysResponse response;
  for (const StateEntry& entry : page.entries) {
    StoredKey stored;
    if (stored.ParseFromString(entry.value)) *response.add_keys() = Shown(stored);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::IssuedKey> KeyBook::Rotate(const v1::RotateKeyRequest& request, const rpc::Caller& caller) {
  const absl::Duration overlap =
      request.overlap_seconds() == 0 ? kDefaultOverlap : absl::Seconds(request.overlap_seconds());
  if (overlap < absl::ZeroDuration() || overlap > kMaxOverlap) {
    return Invalid("overlap_seconds", "at least 1 and at most 2592000 (30 days)");
  }
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(StoredKey stored, Find(request.name(), caller));
  v1::ApiKey& key = *stored.mutable_key();
  if (key.has_revoke_time() || now >= ToTime(key.expire_time())) {
    return Error(absl::StatusCode::kFailedPrecondition, "KEY_ENDED",
                 absl::StrCat(key.name(), " is revoked or expired; make a new key"), {{"key", key.name()}});
  }
  stored.set_previous_digest(stored.digest());
  *key.mutable_previous_expire_time() = ToTimestamp(now + overlap);
  *key.mutable_rotate_time() = ToTimestamp(now);
  ASSIGN_OR_RETURN(std::string secret, GiveSecret(stored));
  RETURN_IF_ERROR(Put(stored));
  v1::IssuedKey issued;
  *issued.mutable_key() = Shown(stored);
  issued.set_secret(std::move(secret));
  return issued;
}

absl::StatusOr<v1::ApiKey> KeyBook::Revoke(const v1::RevokeKeyRequest& request, const rpc::Caller& caller) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(StoredKey stored, Find(request.name(), caller));
  if (stored.key().has_revoke_time()) return Shown(stored);
  *stored.mutable_key()->mutable_revoke_time() = ToTimestamp(clock_.Now());
  RETURN_IF_ERROR(Put(stored));
  return Shown(stored);
}

absl::StatusOr<rpc::Caller> KeyBook::CheckKey(absl::string_view key_id, const rpc::KeyDigest& digest) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mu_);
  auto found = keys_.find(key_id);
  if (found == keys_.end() || !HasSecret(found->second, rpc::AsText(digest), now)) return rpc::UnknownKey();
  const v1::ApiKey& key = found->second.key();
  if (key.has_revoke_time()) {
    return Error(absl::StatusCode::kUnauthenticated, "API_KEY_REVOKED",
                 absl::StrCat(key.name(), " was revoked; ask an admin for a new key"));
  }
  if (now >= ToTime(key.expire_time())) {
    return Error(absl::StatusCode::kUnauthenticated, "API_KEY_EXPIRED",
                 absl::StrCat(key.name(), " has expired; ask an admin for a new key"));
  }
  rpc::Caller caller;
  caller.kind = rpc::CallerKind::kKey;
  caller.principal = key.name();
  caller.tenant = key.tenant();
  caller.projects = ScopeOf(key);
  ASSIGN_OR_RETURN(caller.role, rpc::ParseRole(Shown(found->second).role()));
  NoteUse(found->second, now);
  return caller;
}

absl::StatusOr<storage::v1::StoredKey> KeyBook::Find(const std::string& name, const rpc::Caller& caller) const {
  auto found = keys_.find(IdOf(name));
  const bool is_there = found != keys_.end() && absl::StartsWith(found->first, rpc::KeyIdIn(caller.tenant, "")) &&
                        IsFor(caller, found->second.key());
  if (is_there) return found->second;
  return Error(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", absl::StrCat("there is no key '", name, "'"),
               {{"key", name}});
}

absl::Status KeyBook::Put(const StoredKey& stored) {
  std::string id(IdOf(stored.key().name()));
  StateTransaction transaction;
  transaction.puts = {{absl::StrCat(kKeys, id), stored.SerializeAsString()}};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  keys_.insert_or_assign(std::move(id), stored);
  return absl::OkStatus();
}

void KeyBook::NoteUse(StoredKey& stored, absl::Time now) {
  const absl::Time hour = absl::FromUnixSeconds(absl::ToUnixSeconds(now) / 3600 * 3600);
  if (stored.key().has_last_use_time() && hour - ToTime(stored.key().last_use_time()) < kUseGrain) return;
  *stored.mutable_key()->mutable_last_use_time() = ToTimestamp(hour);
  StoredKey copy = stored;
  absl::Status put = Put(copy);
  // The call itself is none the worse for it.
  if (!put.ok()) LogError("the use of a key was not noted", {{"key", stored.key().name()}, {"error", put.ToString()}});
}

}  // namespace chartly::auth
