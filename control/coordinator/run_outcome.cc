#include "control/coordinator/run_outcome.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"

namespace chartly::coordinator {
namespace {

constexpr char kSpoolDamaged[] = "SPOOL_DAMAGED";

int64_t Received(const v1::Balance& balance) {
  return balance.stored() + balance.duplicate() + balance.filtered() + balance.quarantined();
}

// Rows the drone took and the aggregator has not seen are on the drone's disk.
v1::Balance LiveBalance(const RunRecord& record) {
  v1::Balance balance = record.received;
  balance.set_fetched(std::max(record.progress.fetched(), Received(balance)));
  balance.set_in_spool(balance.fetched() - Received(balance));
  balance.set_closed(true);
  return balance;
}

// All rows of the run arrived before its end: what is missing now is not on the way.
v1::Balance FinalBalance(const v1::RunLedger& ledger) {
  v1::Balance balance = ledger.balance();
  balance.set_fetched(ledger.end().fetched());
  balance.set_in_spool(0);
  // Only the drone knows that its disk lost rows. Whatever else is missing stays an open balance.
  if (ledger.end().error_reason() == kSpoolDamaged) {
    // What the drone knew of rows that had arrived may be gone, too.
    balance.set_fetched(std::max(balance.fetched(), Received(balance)));
    balance.set_lost(std::max<int64_t>(0, balance.fetched() - Received(balance)));
  }
  balance.set_closed(balance.fetched() == Received(balance) + balance.lost());
  return balance;
}

struct Verdict {
  v1::RunStatus status;
  std::string reason;
  std::string message;
};

Verdict Judge(const v1::RunEnd& end, const v1::Balance& balance) {
  if (end.cancelled()) return {v1::RUN_STATUS_CANCELLED, end.error_reason(), end.error()};
  if (!end.error_reason().empty() && !end.truncated()) return {v1::RUN_STATUS_FAILED, end.error_reason(), end.error()};
  if (!balance.closed()) {
    return {v1::RUN_STATUS_PARTIAL, "BALANCE_OPEN",
            absl::StrCat("the drone counted ", balance.fetched(), " rows, the aggregator has ", Received(balance))};
  }
  if (end.truncated() && !end.error_reason().empty()) return {v1::RUN_STATUS_PARTIAL, end.error_reason(), end.error()};
  if (balance.quarantined() > 0) {
    return {v1::RUN_STATUS_PARTIAL, "ROWS_QUARANTINED", absl::StrCat(balance.quarantined(), " rows are in quarantine")};
  }
  if (end.truncated()) {
    return {v1::RUN_STATUS_PARTIAL, "LIMIT_REACHED",
            end.error().empty() ? "a limit of the profile cut the run off" : end.error()};
  }
  return {v1::RUN_STATUS_SUCCEEDED, "", ""};
}

void SetTimes(v1::Run& run, absl::Time finished) {
  *run.mutable_finished_at() = ToTimestamp(finished);
  absl::Time started = run.has_started_at() ? FromTimestamp(run.started_at()) : finished;
  run.set_duration_ms(std::max<int64_t>(0, absl::ToInt64Milliseconds(finished - started)));
}

// The times of an end are by its drone's clock. What lies before the run was made, or in the future, is of a clock that
// is off: the schedule goes on from the end of a run, and must not wait for what that clock shows. How long the run
// took is the drone's to say, unless its clock jumped meanwhile.
void TakeTimes(v1::Run& run, const v1::RunEnd& end, absl::Time now) {
  const absl::Time made = FromTimestamp(run.create_time());
  const absl::Time told = end.has_finished_at() ? FromTimestamp(end.finished_at()) : now;
  const absl::Time finished = told < made || told > now ? now : told;
  if (end.has_started_at()) {
    const absl::Time started = finished - std::max(absl::ZeroDuration(), told - FromTimestamp(end.started_at()));
    if (started >= made || !run.has_started_at()) *run.mutable_started_at() = ToTimestamp(std::max(started, made));
  }
  SetTimes(run, finished);
}

}  // namespace

v1::Run Describe(const RunRecord& record) {
  v1::Run run = record.run;
  if (!record.open()) return run;
  *run.mutable_balance() = LiveBalance(record);
  run.set_rows_out(run.balance().stored() + run.balance().duplicate());
  run.set_pages(std::max(run.pages(), record.progress.pages()));
  return run;
}

bool ApplyLedger(RunRecord& record, const v1::RunLedger& ledger, absl::Time now) {
  if (record.ended) return false;
  bool changed = Received(record.received) != Received(ledger.balance());
  record.received = ledger.balance();
  v1::Run& run = record.run;
  if (!ledger.has_end()) return changed;
  const v1::RunEnd& end = ledger.end();
  *run.mutable_balance() = FinalBalance(ledger);
  run.set_rows_out(run.balance().stored() + run.balance().duplicate());
  run.set_pages(end.pages());
  TakeTimes(run, end, now);
  if (run.drone_id().empty()) run.set_drone_id(end.drone_id());
  if (!end.revision().empty()) run.set_revision(end.revision());  // what ran, if it was not what was ordered
  Verdict verdict = Judge(end, run.balance());
  // A run that was cancelled before its drone told of it stays cancelled, and one that was stopped because it was lost
  // stays lost; its rows are in the balance.
  const bool stopped_when_lost = IsFinal(run.status()) && end.cancelled();
  if (run.status() != v1::RUN_STATUS_CANCELLED && !stopped_when_lost) {
    run.set_status(verdict.status);
    run.set_error_reason(verdict.reason);
    run.set_error(verdict.message);
  }
  record.ended = true;
  return true;
}

void EndWithoutLedger(RunRecord& record, v1::RunStatus status, absl::string_view reason, absl::string_view message,
                      absl::Time now) {
  v1::Run& run = record.run;
  *run.mutable_balance() = LiveBalance(record);
  run.set_rows_out(run.balance().stored() + run.balance().duplicate());
  run.set_pages(record.progress.pages());
  run.set_status(status);
  run.set_error_reason(std::string(reason));
  run.set_error(std::string(message));
  SetTimes(run, now);
}

}  // namespace chartly::coordinator
