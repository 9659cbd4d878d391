// Reads one side of a report: its current rows that pass the filter, into the join.
//
// Not thread-safe; plan and join must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_SIDE_SCANNER_H_
#define CHARTLY_CONTROL_REPORTER_SIDE_SCANNER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/batch/batch.h"
#include "control/reporter/field_reader.h"
#include "control/reporter/join.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {

class SideScanner {
 public:
  SideScanner(const ReportSidePlan& plan, size_t side, Join& join) : plan_(plan), side_(side), join_(join) {}

  // Adds the rows of one batch. DataLoss (BATCH_CORRUPT) if it is damaged, or what Join::Add gives.
  absl::Status Take(absl::string_view batch_bytes, absl::string_view current);
  // InvalidArgument (REPORT_UNKNOWN_FIELD) if the plan names a field that no batch had; the message lists those it had.
  // OK if there were no records at all.
  absl::Status CheckNames() const;

  bool saw_records() const { return saw_records_; }
  int64_t records() const { return records_; }
  int64_t null_measures() const { return null_measures_; }

 private:
  void Learn(const Batch& batch);
  // The role and bare name of a name in a filter; a bare name is looked for among dims, measures, attrs in turn.
  struct FieldName {
    Role role;
    std::string name;
    bool known;
  };
  FieldName Resolve(absl::string_view name) const;
  absl::Status Unknown(absl::string_view what, absl::string_view name) const;

  const ReportSidePlan& plan_;
  const size_t side_;
  Join& join_;
  std::set<std::string> names_[5];  // by Role
  bool saw_records_ = false;
  int64_t records_ = 0;
  int64_t null_measures_ = 0;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_SIDE_SCANNER_H_
