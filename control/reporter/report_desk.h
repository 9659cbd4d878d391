// Runs saved reports: when somebody asks, and on their schedule. Every run is filed with the time up to which it knew
// the records, so that the same question can be asked of the same records again.
//
// Thread-safe. Book, runner and clock must outlive it; Start once, Shutdown is safe twice and before Start.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_DESK_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_DESK_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "chartly/v1/reporter.pb.h"
#include "common/clock/clock.h"
#include "control/reporter/batch_source.h"
#include "control/reporter/report_book.h"
#include "control/reporter/report_runner.h"

namespace chartly::reporter {

class ReportDesk {
 public:
  // Gives the records as they were known at a time.
  using OpenSource = std::function<std::unique_ptr<BatchSource>(absl::Time as_of)>;

  ReportDesk(ReportBook& book, ReportRunner& runner, OpenSource open_source, Clock& clock)
      : book_(book), runner_(runner), open_source_(std::move(open_source)), clock_(clock) {}
  ~ReportDesk() { Shutdown(); }

  // Looks for due reports every `interval`.
  void Start(absl::Duration interval);
  void Shutdown();

  // Runs the newest version over `source` and files the run; a run that fails is filed with its error, one that is
  // cancelled is not.
  // The errors are those of ReportBook for who may work in these projects, or Cancelled.
  absl::StatusOr<v1::ReportRun> Run(absl::string_view name, absl::string_view trigger, absl::Time as_of,
                                    BatchSource& source, const rpc::ProjectScope& projects = {});
  // Notified once it shuts down.
  const absl::Notification& stop() const { return stop_; }
  // Runs all that are due, one after the other.
  void RunDue();

 private:
  absl::StatusOr<v1::RunReportResponse> Answer(const v1::RunReportRequest& question, BatchSource& source);

  ReportBook& book_;
  ReportRunner& runner_;
  const OpenSource open_source_;
  Clock& clock_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_DESK_H_
