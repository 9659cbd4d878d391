#include "control/audit/audit_migration.h"

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/audit/audit_entry.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/audit/audit_store.h"

namespace chartly::audit {
namespace {

constexpr char kFormat[] = "2";

absl::Status Broken(int64_t seq, absl::string_view what) {
  return Error(
      absl::StatusCode::kDataLoss, "AUDIT_CHAIN_BROKEN",
      absl::StrCat("audit event ", seq, ": ", what,
                   "; the log was changed from there on. Restore the folder of the audit log from a backup, or "
                   "move it away as evidence to begin a new log"),
      {{"seq", absl::StrCat(seq)}});
}

// Walks a chain; one for each way through it.
class Chain {
 public:
  absl::StatusOr<v1::AuditEvent> Take(const StateEntry& entry) {
    ++seq_;
    if (entry.key != EventKey(seq_)) return Broken(seq_, "it is missing");
    absl::StatusOr<v1::AuditEvent> event = DecodeEvent(entry);
    if (!event.ok()) return Broken(seq_, "it cannot be read");
    if (event->seq() != seq_) return Broken(seq_, "its number is wrong");
    if (event->form() != 0) return Broken(seq_, "it is not of the first version");
    if (event->prev_hash() != last_hash_) return Broken(seq_, "it does not follow the event before");
    absl::Status content = CheckAuditEvent(*event);
    if (!content.ok()) return Broken(seq_, "its content does not match its hash");
    // What the hash does not cover must not be there: the stored bytes are exactly those of the event.
    if (event->SerializeAsString() != entry.value) return Broken(seq_, "it has content that its hash does not cover");
    last_hash_ = event->hash();
    return event;
  }
  int64_t seq() const { return seq_; }

 private:
  int64_t seq_ = 0;
  std::string last_hash_;
};

absl::Status ForEachPage(const StateStore& store, const std::function<absl::Status(const StatePage&)>& take) {
  StatePage page;
  do {
    ASSIGN_OR_RETURN(page, ReadPage(store, {kEventPrefix, kMaxPageSize, page.next_page_token}));
    RETURN_IF_ERROR(take(page));
  } while (!page.next_page_token.empty());
  return absl::OkStatus();
}

absl::Status CheckChain(const StateStore& store) {
  Chain chain;
  return ForEachPage(store, [&](const StatePage& page) {
    for (const StateEntry& entry : page.entries) RETURN_IF_ERROR(chain.Take(entry).status());
    return absl::OkStatus();
  });
}

absl::Status MakeTree(StateStore& store) {
  MerkleFrontier frontier;
  return ForEachPage(store, [&](const StatePage& page) {
    StateTransaction transaction;
    for (const StateEntry& entry : page.entries) {
      ASSIGN_OR_RETURN(v1::AuditEvent event, DecodeEvent(entry));
      PutNodes(frontier.Append(AuditLeaf(event)), transaction);
    }
    return store.Commit(transaction).status();
  });
}

}  // namespace

absl::Status MigrateAuditLog(StateStore& store) {
  absl::StatusOr<StateEntry> format = store.Get(kFormatKey);
  if (format.ok() && format->value == kFormat) return absl::OkStatus();
  if (format.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition, "AUDIT_FORMAT",
                 absl::StrCat("the audit log has format ", format->value,
                              ", which this version does not know; start the version that wrote it"));
  }
  if (!absl::IsNotFound(format.status())) return format.status();
  RETURN_IF_ERROR(CheckChain(store));
  RETURN_IF_ERROR(MakeTree(store));
  ASSIGN_OR_RETURN(EventRange range, ReadEventRange(store));
  if (range.last > 0) LogInfo("audit log brought to format 2", {{"events", absl::StrCat(range.last)}});
  StateTransaction transaction;
  transaction.puts = {{kFormatKey, kFormat}};
  return store.Commit(transaction).status();
}

}  // namespace chartly::audit
