#include "control/audit/audit_upkeep.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/audit/audit_entry.h"
#include "common/audit/audit_verifier.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/audit/audit_store.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::audit {
namespace {

using google::protobuf::util::TimeUtil;

constexpr absl::Duration kPruneInterval = absl::Hours(1);
// The seqs of a group fit the detail of one event, and its changes one transaction.
constexpr size_t kEraseGroup = 500;
constexpr size_t kDeleteGroup = 1000;

absl::Time TimeOf(const v1::AuditEvent& event) {
  return absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(event.time()));
}

// Whether something of the person was in the event; it is not any more.
bool EraseFrom(v1::AuditEvent& event, const v1::EraseAuditPersonRequest& request) {
  bool found = false;
  if (!request.actor().empty() && event.actor() == request.actor()) {
    event.clear_actor();
    event.clear_actor_salt();
    found = true;
  }
  if (!request.address().empty() && event.address() == request.address()) {
    event.clear_address();
    event.clear_address_salt();
    found = true;
  }
  return found;
}

}  // namespace

void AuditUpkeep::Start() {
  if (keep_ == absl::ZeroDuration()) return;
  thread_ = std::thread([this] {
    do {
      absl::StatusOr<int64_t> pruned = Prune();
      if (!pruned.ok()) LogError("audit log was not pruned", {{"error", std::string(pruned.status().message())}});
    } while (!stop_.WaitForNotificationWithTimeout(kPruneInterval));
  });
}

void AuditUpkeep::Shutdown() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<int64_t> AuditUpkeep::LastToPrune() const {
  const absl::Time before = clock_.Now() - keep_;
  const int64_t newest = static_cast<int64_t>(log_.Head().size());
  int64_t last = 0;
  StatePage page;
  do {
    ASSIGN_OR_RETURN(page, ReadPage(store_, {kEventPrefix, kMaxPageSize, page.next_page_token}));
    for (const StateEntry& entry : page.entries) {
      ASSIGN_OR_RETURN(v1::AuditEvent event, DecodeEvent(entry));
      if (TimeOf(event) >= before || event.seq() >= newest) return last;
      last = event.seq();
    }
  } while (!page.next_page_token.empty());
  return last;
}

absl::Status AuditUpkeep::DeleteThrough(int64_t seq) {
  while (true) {
    ASSIGN_OR_RETURN(std::vector<StateEntry> oldest, store_.Range(kEventPrefix, "", kDeleteGroup));
    StateTransaction transaction;
    for (const StateEntry& entry : oldest) {
      if (entry.key <= EventKey(seq)) transaction.deletes.push_back(entry.key);
    }
    if (transaction.deletes.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(store_.Commit(transaction).status());
  }
}

absl::StatusOr<int64_t> AuditUpkeep::Prune() {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(EventRange range, ReadEventRange(store_));
  ASSIGN_OR_RETURN(int64_t last, LastToPrune());
  if (last == 0) return 0;
  v1::AuditEvent event;
  event.set_actor("chartly");
  event.set_action(kRetentionAction);
  event.set_subject(absl::StrCat("events through ", last));
  event.set_outcome("OK");
  event.set_detail(absl::StrCat(last));
  RETURN_IF_ERROR(log_.Append(event).status());
  RETURN_IF_ERROR(DeleteThrough(last));
  return last - range.first + 1;
}

absl::Status AuditUpkeep::Record(const v1::AuditEvent& event, const std::vector<v1::AuditEvent>& erased) {
  return log_
      .Append(event,
              [&](v1::AuditEvent& appended, StateTransaction& transaction) {
                std::vector<int64_t> seqs;
                for (const v1::AuditEvent& each : erased) {
                  seqs.push_back(each.seq());
                  transaction.puts.push_back({EventKey(each.seq()), each.SerializeAsString()});
                }
                appended.set_detail(WriteSeqList(seqs));
              })
      .status();
}

absl::StatusOr<v1::EraseAuditPersonResponse> AuditUpkeep::Erase(const v1::EraseAuditPersonRequest& request,
                                                                const v1::AuditEvent& event) {
  if (request.actor().empty() && request.address().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "AUDIT_PERSON_MISSING",
                 "actor and address are empty; say what names the person");
  }
  absl::MutexLock lock(&mu_);
  v1::EraseAuditPersonResponse response;
  std::vector<v1::AuditEvent> erased;
  StatePage page;
  do {
    ASSIGN_OR_RETURN(page, ReadPage(store_, {kEventPrefix, static_cast<int32_t>(kEraseGroup), page.next_page_token}));
    for (const StateEntry& entry : page.entries) {
      ASSIGN_OR_RETURN(v1::AuditEvent each, DecodeEvent(entry));
      if (!EraseFrom(each, request)) continue;
      if (each.form() == 0) {
        response.set_kept(response.kept() + 1);
      } else {
        erased.push_back(std::move(each));
      }
    }
    response.set_erased(response.erased() + static_cast<int64_t>(erased.size()));
    if (!erased.empty()) RETURN_IF_ERROR(Record(event, erased));
    erased.clear();
  } while (!page.next_page_token.empty());
  if (response.erased() == 0) RETURN_IF_ERROR(Record(event, {}));
  return response;
}

}  // namespace chartly::audit
