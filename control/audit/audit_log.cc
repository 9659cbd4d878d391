#include "control/audit/audit_log.h"

#include <openssl/rand.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/audit/audit_entry.h"
#include "common/profile/secret_scan.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "common/text/utf8.h"
#include "control/audit/audit_migration.h"
#include "control/audit/audit_store.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::audit {
namespace {

using google::protobuf::util::TimeUtil;

// One transaction stays well under the limits of the store.
constexpr size_t kMaxGroup = 256;
constexpr size_t kSaltBytes = 16;

// What callers write is recorded for good, so a key that went into the wrong field must not be.
std::string Cut(const std::string& given, size_t bytes) {
  if (!SecretShape(given).empty()) return "[redacted]";
  const std::string text = ToUtf8(given);
  if (text.size() <= bytes) return text;
  return absl::StrCat(CutAtCharacter(text, bytes - 3), "...");
}

std::string NewSalt() {
  std::string salt(kSaltBytes, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), kSaltBytes);
  return absl::BytesToHexString(salt);
}

v1::AuditEvent Cleaned(const v1::AuditEvent& given) {
  v1::AuditEvent event;
  event.set_form(kAuditForm);
  event.set_actor(Cut(given.actor(), AuditLog::kMaxFieldBytes));
  event.set_action(Cut(given.action(), AuditLog::kMaxFieldBytes));
  event.set_subject(Cut(given.subject(), AuditLog::kMaxFieldBytes));
  event.set_outcome(Cut(given.outcome(), AuditLog::kMaxFieldBytes));
  event.set_request_id(Cut(given.request_id(), AuditLog::kMaxFieldBytes));
  event.set_tenant(Cut(given.tenant(), AuditLog::kMaxFieldBytes));
  event.set_address(Cut(given.address(), AuditLog::kMaxFieldBytes));
  event.set_detail(Cut(given.detail(), AuditLog::kMaxDetailBytes));
  if (!event.actor().empty()) event.set_actor_salt(NewSalt());
  if (!event.address().empty()) event.set_address_salt(NewSalt());
  event.set_actor_digest(PersonDigest(event.actor_salt(), event.actor()));
  event.set_address_digest(PersonDigest(event.address_salt(), event.address()));
  return event;
}

}  // namespace

AuditLog::AuditLog(StateStore& store, Clock& clock, MerkleFrontier head)
    : store_(store), clock_(clock), nodes_(NodesOf(store)), head_(std::move(head)) {}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(StateStore& store, Clock& clock) {
  RETURN_IF_ERROR(MigrateAuditLog(store));
  ASSIGN_OR_RETURN(EventRange range, ReadEventRange(store));
  ASSIGN_OR_RETURN(MerkleFrontier head, ReadFrontier(store, static_cast<uint64_t>(range.last)));
  return std::unique_ptr<AuditLog>(new AuditLog(store, clock, std::move(head)));
}

void AuditLog::Fill(Waiting& waiting, const MerkleFrontier& head, StateTransaction& transaction) {
  v1::AuditEvent& event = waiting.event;
  event.set_seq(static_cast<int64_t>(head.size()) + 1);
  *event.mutable_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  event.set_prev_hash(head.size() == 0 ? "" : HexOf(head.Root()));
  if (*waiting.complete) (*waiting.complete)(event, transaction);
  event.set_hash(AuditHash(event));
  transaction.puts.push_back({EventKey(event.seq()), event.SerializeAsString()});
}

absl::Status AuditLog::Commit(const std::vector<Waiting*>& group, MerkleFrontier& head) {
  StateTransaction transaction;
  transaction.conditions = {{EventKey(static_cast<int64_t>(head.size()) + 1), 0}};
  for (Waiting* waiting : group) {
    Fill(*waiting, head, transaction);
    PutNodes(head.Append(AuditLeaf(waiting->event)), transaction);
  }
  return store_.Commit(transaction).status();
}

// The lock is not held while the disk works; whoever comes meanwhile waits for the next group.
void AuditLog::Lead() {
  leading_ = true;
  std::vector<Waiting*> group;
  while (!queue_.empty() && group.size() < kMaxGroup) {
    group.push_back(queue_.front());
    queue_.pop_front();
  }
  MerkleFrontier head = head_;
  mu_.Unlock();
  absl::Status status = Commit(group, head);
  mu_.Lock();
  if (status.ok()) head_ = std::move(head);
  if (status.ok() && listener_) listener_(head_.size());
  health_ = status;
  for (Waiting* waiting : group) waiting->done = status;
  leading_ = false;
}

absl::StatusOr<v1::AuditEvent> AuditLog::Append(const v1::AuditEvent& event, const Complete& complete) {
  if (event.action().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "AUDIT_EVENT_INVALID", "event.action is empty; say what was done");
  }
  Waiting waiting{Cleaned(event), &complete, std::nullopt};
  absl::MutexLock lock(&mu_);
  queue_.push_back(&waiting);
  while (!waiting.done.has_value()) {
    const auto ready = [this, &waiting] { return waiting.done.has_value() || !leading_; };
    mu_.Await(absl::Condition(&ready));
    if (!waiting.done.has_value()) Lead();
  }
  RETURN_IF_ERROR(*waiting.done);
  Count("chartly_audit_events_total");
  return std::move(waiting.event);
}

absl::StatusOr<v1::ListAuditEventsResponse> AuditLog::List(const v1::ListAuditEventsRequest& request) const {
  const int32_t size = request.page_size() != 0 ? request.page_size() : request.limit();
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, {kEventPrefix, size, request.page_token(), true}));
  v1::ListAuditEventsResponse response;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(*response.add_events(), DecodeEvent(entry));
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::AuditEvent> AuditLog::Get(int64_t seq) const {
  absl::StatusOr<StateEntry> entry = store_.Get(EventKey(seq));
  if (entry.ok()) return DecodeEvent(*entry);
  if (!absl::IsNotFound(entry.status())) return entry.status();
  return Error(absl::StatusCode::kNotFound, "AUDIT_EVENT_NOT_FOUND",
               absl::StrCat("the audit log has no event ", seq, ", or only its hash is left"),
               {{"seq", absl::StrCat(seq)}});
}

MerkleFrontier AuditLog::Head() const {
  absl::MutexLock lock(&mu_);
  return head_;
}

absl::Status AuditLog::Health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

}  // namespace chartly::audit
