#include "control/reporter/report_desk.h"

#include <utility>

#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {

void ReportDesk::Start(absl::Duration interval) {
  thread_ = std::thread([this, interval, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    while (!clock_.WaitFor(interval, stop_)) RunDue();
  });
}

void ReportDesk::Shutdown() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<v1::RunReportResponse> ReportDesk::Answer(const v1::RunReportRequest& question, BatchSource& source) {
  ASSIGN_OR_RETURN(ReportPlan plan, PlanReport(question));
  return runner_.Run(plan, source);
}

absl::StatusOr<v1::ReportRun> ReportDesk::Run(absl::string_view name, absl::string_view trigger, absl::Time as_of,
                                              BatchSource& source, const rpc::ProjectScope& projects) {
  v1::GetReportRequest request;
  request.set_name(std::string(name));
  ASSIGN_OR_RETURN(v1::SavedReport report, book_.Get(request, projects));
  v1::ReportRun run;
  run.set_version(report.version());
  run.set_trigger(std::string(trigger));
  *run.mutable_start_time() = ToTimestamp(clock_.Now());
  *run.mutable_as_of() = ToTimestamp(as_of);
  absl::StatusOr<v1::RunReportResponse> answer = Answer(report.report(), source);
  // Whoever asked went away, or the process ends: the report is as due as before.
  if (absl::IsCancelled(answer.status())) return answer.status();
  *run.mutable_finish_time() = ToTimestamp(clock_.Now());
  if (answer.ok()) {
    *run.mutable_answer() = *std::move(answer);
  } else {
    run.set_error_reason(Reason(answer.status()));
    run.set_error(std::string(answer.status().message()));
  }
  Count("chartly_report_runs_total", 1, answer.ok() ? "succeeded" : "failed");
  return book_.AddRun(name, std::move(run));
}

void ReportDesk::RunDue() {
  absl::StatusOr<std::vector<v1::SavedReport>> due = book_.Due();
  if (!due.ok()) return LogError("saved reports cannot be read", {{"error", due.status().ToString()}});
  for (const v1::SavedReport& report : *due) {
    if (stop_.HasBeenNotified()) return;
    absl::Time as_of = clock_.Now();
    std::unique_ptr<BatchSource> source = open_source_(as_of);
    absl::StatusOr<v1::ReportRun> run = Run(report.name(), "schedule", as_of, *source);
    if (!run.ok())
      LogError("a saved report did not run", {{"report", report.name()}, {"error", run.status().ToString()}});
  }
}

}  // namespace chartly::reporter
