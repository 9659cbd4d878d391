#include "control/audit/audit_log.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/state/retry.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::audit {
namespace {

using google::protobuf::util::TimeUtil;

std::string Cut(const std::string& text) {
  if (text.size() <= AuditLog::kMaxFieldBytes) return text;
  return absl::StrCat(CutAtCharacter(text, AuditLog::kMaxFieldBytes - 3), "...");
}

}  // namespace

absl::StatusOr<ChainEnd> AuditLog::ReadEnd() const {
  ASSIGN_OR_RETURN(std::vector<StateEntry> last, store_.Range(kEventPrefix, "", 1, true));
  if (last.empty()) return ChainEnd{};
  ASSIGN_OR_RETURN(v1::AuditEvent event, DecodeEvent(last[0]));
  return ChainEnd{event.seq(), event.hash()};
}

absl::StatusOr<v1::AuditEvent> AuditLog::AppendAtEnd(const v1::AuditEvent& given) {
  ASSIGN_OR_RETURN(ChainEnd end, ReadEnd());
  v1::AuditEvent event;
  event.set_seq(end.seq + 1);
  *event.mutable_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  event.set_actor(Cut(given.actor()));
  event.set_action(Cut(given.action()));
  event.set_subject(Cut(given.subject()));
  event.set_outcome(Cut(given.outcome()));
  event.set_request_id(Cut(given.request_id()));
  event.set_prev_hash(end.hash);
  event.set_hash(HashOf(event));
  StateTransaction transaction;
  transaction.conditions = {{EventKey(event.seq()), 0}};
  transaction.puts = {{EventKey(event.seq()), event.SerializeAsString()}};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  return event;
}

absl::StatusOr<v1::AuditEvent> AuditLog::Append(const v1::AppendAuditEventRequest& request) {
  if (request.event().action().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "AUDIT_EVENT_INVALID", "event.action is empty; say what was done");
  }
  absl::MutexLock lock(&append_mu_);
  // A conflict can come only from another process on the same store.
  return RetryOnConflict([&] { return AppendAtEnd(request.event()); });
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

}  // namespace chartly::audit
