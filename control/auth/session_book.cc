#include "control/auth/session_book.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::auth {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr char kSessions[] = "session/";
// A use is written down only when it is this part of the idle time away from the last one that was.
constexpr int kUseGrain = 16;

Timestamp ToTimestamp(absl::Time time) { return TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time)); }
absl::Time ToTime(const Timestamp& time) { return absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(time)); }

std::string IdOf(const rpc::KeyDigest& digest) { return absl::BytesToHexString(rpc::AsText(digest)); }

rpc::KeyDigest DigestIn(const std::string& bytes) {
  rpc::KeyDigest digest{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.size()), digest.begin());
  return digest;
}

absl::Status NotSignedIn() {
  return Error(absl::StatusCode::kFailedPrecondition, "NOT_SIGNED_IN", "the call was not made with a session");
}

absl::Status Ended() {
  return Error(absl::StatusCode::kUnauthenticated, "SESSION_ENDED", "the session has ended; sign in again");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionBook>> SessionBook::Open(StateStore& store, const SessionTerms& terms,
                                                               FindKey find_key, Clock& clock) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store.Range(kSessions));
  std::unique_ptr<SessionBook> book(new SessionBook(store, terms, std::move(find_key), clock));
  StateTransaction ended;
  absl::MutexLock lock(&book->mu_);
  for (const StateEntry& entry : entries) {
    StoredSession session;
    if (!session.ParseFromString(entry.value)) {
      return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
                   absl::StrCat("entry '", entry.key, "' of auth is damaged; restore the store from a backup"),
                   {{"key", entry.key}});
    }
    if (book->HasEnded(session, clock.Now())) {
      ended.deletes.push_back(entry.key);
    } else {
      book->sessions_.emplace(entry.key.substr(sizeof(kSessions) - 1), std::move(session));
    }
  }
  if (!ended.deletes.empty()) RETURN_IF_ERROR(store.Commit(ended).status());
  SetGauge("chartly_sessions", static_cast<double>(book->sessions_.size()));
  return book;
}

bool SessionBook::HasEnded(const StoredSession& session, absl::Time now) const {
  return now >= ToTime(session.expire_time()) || now >= ToTime(session.last_use_time()) + terms_.idle;
}

absl::StatusOr<rpc::Caller> SessionBook::Identify(absl::string_view api_key) const {
  return find_key_(rpc::KeyIdOf(api_key), rpc::DigestOf(api_key));
}

std::vector<std::string> SessionBook::Superfluous(const std::string& key_digest, absl::Time now) const {
  std::vector<std::string> found;
  size_t of_key = 0;
  Sessions::const_iterator oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (HasEnded(it->second, now)) {
      found.push_back(it->first);
    } else if (it->second.key_digest() == key_digest) {
      ++of_key;
      const bool is_older =
          oldest == sessions_.end() || ToTime(it->second.last_use_time()) < ToTime(oldest->second.last_use_time());
      if (is_older) oldest = it;
    }
  }
  if (of_key >= kMaxOfOneKey) found.push_back(oldest->first);
  return found;
}

absl::StatusOr<v1::Session> SessionBook::Begin(absl::string_view api_key) {
  ASSIGN_OR_RETURN(const rpc::Caller caller, Identify(api_key));
  StoredSession session;
  session.set_key_id(std::string(rpc::KeyIdOf(api_key)));
  session.set_key_digest(std::string(rpc::AsText(rpc::DigestOf(api_key))));
  return Add(caller, std::move(session));
}

absl::StatusOr<v1::Session> SessionBook::BeginFor(const rpc::Caller& person) {
  StoredSession session;
  session.set_key_digest(std::string(rpc::AsText(rpc::DigestOf(absl::StrCat(terms_.issuer, "\n", person.principal)))));
  session.mutable_person()->set_issuer(terms_.issuer);
  session.mutable_person()->set_principal(person.principal);
  const std::string role(rpc::RoleName(person.role));
  const std::vector<std::string>& projects = person.projects.projects();
  // An auth part of a version that knows no projects may read this, too.
  session.mutable_person()->set_role(person.projects.bound() ? "none" : role);
  if (person.projects.bound()) session.mutable_person()->set_bound_role(role);
  session.mutable_person()->mutable_projects()->Assign(projects.begin(), projects.end());
  session.mutable_person()->set_tenant(person.tenant);
  return Add(person, std::move(session));
}

absl::StatusOr<v1::Session> SessionBook::Add(const rpc::Caller& caller, StoredSession session) {
  ASSIGN_OR_RETURN(std::string token, rpc::MakeSessionToken());
  const std::string id = IdOf(rpc::DigestOf(token));
  const absl::Time now = clock_.Now();
  *session.mutable_create_time() = ToTimestamp(now);
  *session.mutable_last_use_time() = ToTimestamp(now);
  *session.mutable_expire_time() = ToTimestamp(now + terms_.life);
  absl::MutexLock lock(&mu_);
  const std::vector<std::string> leaving = Superfluous(session.key_digest(), now);
  if (sessions_.size() - leaving.size() >= kMaxSessions) {
    return Error(absl::StatusCode::kResourceExhausted, "SESSIONS_TOO_MANY",
                 absl::StrCat(kMaxSessions, " sessions are open; end some, or wait until some end"));
  }
  StateTransaction transaction;
  transaction.puts = {{kSessions + id, session.SerializeAsString()}};
  for (const std::string& each : leaving) transaction.deletes.push_back(kSessions + each);
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  for (const std::string& each : leaving) sessions_.erase(each);
  v1::Session message = Message(caller, session);
  sessions_.emplace(id, std::move(session));
  SetGauge("chartly_sessions", static_cast<double>(sessions_.size()));
  message.set_token(std::move(token));
  return message;
}

absl::StatusOr<rpc::Caller> SessionBook::HolderOf(const StoredSession& session) const {
  if (!session.has_person()) return find_key_(session.key_id(), DigestIn(session.key_digest()));
  const storage::v1::StoredPerson& person = session.person();
  if (person.issuer() != terms_.issuer) return Ended();
  rpc::Caller caller;
  caller.principal = person.principal();
  caller.tenant = person.tenant();
  const bool bound = !person.bound_role().empty();
  if (bound) caller.projects = rpc::ProjectScope::BoundTo({person.projects().begin(), person.projects().end()});
  ASSIGN_OR_RETURN(caller.role, rpc::ParseRole(bound ? person.bound_role() : person.role()));
  return caller;
}

absl::StatusOr<rpc::Caller> SessionBook::Check(const rpc::KeyDigest& digest) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mu_);
  auto found = sessions_.find(IdOf(digest));
  if (found == sessions_.end() || HasEnded(found->second, now)) return Ended();
  StoredSession& session = found->second;
  absl::StatusOr<rpc::Caller> holder = HolderOf(session);
  // Its key was revoked, has expired, or is no longer the secret of its id; its issuer is no longer ours.
  if (absl::IsUnauthenticated(holder.status())) return Ended();
  RETURN_IF_ERROR(holder.status());
  rpc::Caller caller = *std::move(holder);
  // Whatever the key is for, a browser is neither a drone nor a part of the control plane.
  caller.kind = rpc::CallerKind::kKey;
  caller.session = found->first;
  if (now - ToTime(session.last_use_time()) < terms_.idle / kUseGrain) return caller;
  *session.mutable_last_use_time() = ToTimestamp(now);
  StateTransaction transaction;
  transaction.puts = {{kSessions + found->first, session.SerializeAsString()}};
  const absl::Status put = store_.Commit(transaction).status();
  // The call itself is none the worse for it.
  if (!put.ok()) LogError("the use of a session was not noted", {{"error", put.ToString()}});
  return caller;
}

v1::Session SessionBook::Message(const rpc::Caller& caller, const StoredSession& session) const {
  v1::Session message;
  message.set_principal(caller.principal);
  message.set_role(std::string(rpc::RoleName(caller.role)));
  message.set_tenant(caller.tenant);
  message.mutable_projects()->Assign(caller.projects.projects().begin(), caller.projects.projects().end());
  *message.mutable_expire_time() = session.expire_time();
  message.set_idle_seconds(static_cast<int32_t>(absl::ToInt64Seconds(terms_.idle)));
  return message;
}

absl::StatusOr<v1::Session> SessionBook::Describe(const rpc::Caller& caller) const {
  if (caller.session.empty()) return NotSignedIn();
  absl::MutexLock lock(&mu_);
  auto found = sessions_.find(caller.session);
  if (found == sessions_.end()) return Ended();
  return Message(caller, found->second);
}

absl::Status SessionBook::End(const rpc::Caller& caller) {
  if (caller.session.empty()) return NotSignedIn();
  absl::MutexLock lock(&mu_);
  StateTransaction transaction;
  transaction.deletes = {kSessions + caller.session};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  sessions_.erase(caller.session);
  SetGauge("chartly_sessions", static_cast<double>(sessions_.size()));
  return absl::OkStatus();
}

}  // namespace chartly::auth
