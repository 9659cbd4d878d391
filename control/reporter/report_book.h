// Saved reports: their versions, their schedule, and what their runs answered.
//
// Kept over a StateStore as messages of the API: report/{id} is the newest v1.SavedReport, version/{id}/{number} each
// of its versions, run/{id}/{number} each v1.ReportRun. Thread-safe. The store and the clock must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_BOOK_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_BOOK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/reporter.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"

namespace chartly::reporter {

class ReportBook {
 public:
  static constexpr size_t kMaxReports = 1000;
  static constexpr int64_t kRunsKept = 50;
  static constexpr int32_t kVersionsKept = 100;
  // Of the answer that a run keeps; rows that do not fit are left out and told.
  static constexpr size_t kMaxAnswerBytes = size_t{512} << 10;

  ReportBook(StateStore& store, Clock& clock) : store_(store), clock_(clock) {}

  // For who may work in some projects alone there are no reports, versions and runs with a profile of any other.

  // Saves a report, or a new version of it; the same again changes nothing. InvalidArgument: NAME_INVALID,
  // REPORT_INTERVAL_INVALID, or what is wrong with the question; ResourceExhausted (TOO_MANY_REPORTS); AlreadyExists
  // (REPORT_NAME_TAKEN) if the name is that of a report of other projects.
  absl::StatusOr<v1::SavedReport> Save(const v1::SaveReportRequest& request, const rpc::ProjectScope& projects = {});
  // These: InvalidArgument (NAME_INVALID), NotFound (REPORT_NOT_FOUND).
  absl::StatusOr<v1::SavedReport> Get(const v1::GetReportRequest& request,
                                      const rpc::ProjectScope& projects = {}) const;
  absl::Status Delete(absl::string_view name, const rpc::ProjectScope& projects = {});
  // In order of name.
  absl::StatusOr<v1::ListReportsResponse> List(const v1::ListReportsRequest& request,
                                               const rpc::ProjectScope& projects = {}) const;
  // Newest first, without their rows.
  absl::StatusOr<v1::ListReportRunsResponse> ListRuns(const v1::ListReportRunsRequest& request,
                                                      const rpc::ProjectScope& projects = {}) const;
  // NotFound (REPORT_RUN_NOT_FOUND) also if it is older than what is kept.
  absl::StatusOr<v1::ReportRun> GetRun(absl::string_view name, const rpc::ProjectScope& projects = {}) const;

  // Files a run of that report: gives it its name and says whether the answer is another than that of the run before.
  // Runs past kRunsKept are forgotten. NotFound if the report is gone meanwhile.
  absl::StatusOr<v1::ReportRun> AddRun(absl::string_view name, v1::ReportRun run);
  // Reports whose next run is due, in order of name.
  absl::StatusOr<std::vector<v1::SavedReport>> Due() const;
  // OK if the store can be read.
  absl::Status Health() const;

 private:
  absl::StatusOr<v1::SavedReport> SaveOnce(const std::string& id, const v1::SaveReportRequest& request,
                                           const rpc::ProjectScope& projects);
  // Whether the run answered a question about these projects alone; not if its version is forgotten.
  bool IsRunOf(const std::string& id, const v1::ReportRun& run, const rpc::ProjectScope& projects) const;
  absl::StatusOr<v1::ReportRun> AddRunOnce(const std::string& id, v1::ReportRun run);

  StateStore& store_;
  Clock& clock_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_BOOK_H_
