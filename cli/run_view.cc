#include "cli/run_view.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(300);

std::string Count(const Json& number) { return std::to_string(number.integer()); }

}  // namespace

std::vector<std::string> RunHeader() {
  return {"RUN", "PROFILE", "STATUS", "TRIGGER", "CREATED", "FETCHED", "STORED", "DUPLICATE", "QUARANTINED", "DRONE"};
}

std::vector<std::string> RunRow(const Json& run) {
  const Json& balance = run["balance"];
  return {run["run_id"].text(),
          run["profile_id"].text(),
          run["status"].text(),
          run["trigger"].text(),
          ShortTime(run["create_time"].text()),
          Count(balance["fetched"]),
          Count(balance["stored"]),
          Count(balance["duplicate"]),
          Count(balance["quarantined"]),
          run["drone_id"].text()};
}

std::string BalanceText(const Json& balance) {
  return absl::StrCat("fetched ", Count(balance["fetched"]), " = stored ", Count(balance["stored"]), " + duplicate ",
                      Count(balance["duplicate"]), " + filtered ", Count(balance["filtered"]), " + quarantined ",
                      Count(balance["quarantined"]), " + in spool ", Count(balance["in_spool"]),
                      balance["lost"].integer() > 0 ? absl::StrCat(" + lost ", Count(balance["lost"])) : "",
                      balance["closed"].boolean() ? " (closed)" : " (not closed)");
}

void PrintRun(Session& session, const Json& run) {
  if (session.json()) return session.PrintJson(run);
  Table table(RunHeader());
  table.Add(RunRow(run));
  table.Print(session.out, "");
  session.out << BalanceText(run["balance"]) << "\n";
  if (!run["error"].text().empty()) session.out << "error: " << run["error"].text() << "\n";
}

bool IsFinal(const Json& run) {
  std::string status = run["status"].text();
  return status == "succeeded" || status == "partial" || status == "failed" || status == "cancelled";
}

absl::StatusOr<Json> WaitForRun(Session& session, const std::string& run_id, absl::Duration limit) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  absl::Time end = absl::Now() + limit;
  std::string told;
  while (true) {
    ASSIGN_OR_RETURN(Json run, api->Get(absl::StrCat("/api/runs/", PercentEncode(run_id))));
    std::string now = absl::StrCat(run["status"].text(), ", ", Count(run["balance"]["fetched"]), " rows fetched");
    if (now != told) session.err << run_id << ": " << now << "\n";
    told = now;
    if (IsFinal(run)) return run;
    if (absl::Now() > end) {
      return Error(absl::StatusCode::kAborted, "RUN_NOT_ENDED",
                   absl::StrCat("run ", run_id, " is still ", run["status"].text(), " after ",
                                absl::FormatDuration(limit), "; see it with: chartly run get ", run_id));
    }
    absl::SleepFor(kPollInterval);
  }
}

absl::Status OutcomeOf(const Json& run) {
  std::string status = run["status"].text();
  if (status == "succeeded" || status == "partial") return absl::OkStatus();
  std::string reason = run["error_reason"].text();
  std::string error = run["error"].text();
  return Error(absl::StatusCode::kAborted, reason.empty() ? "RUN_FAILED" : reason,
               absl::StrCat("run ", run["run_id"].text(), " is ", status, error.empty() ? "" : ": ", error));
}

}  // namespace chartly::cli
