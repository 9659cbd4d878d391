// The names of the fields that records were seen to have, by role. Not thread-safe; a copyable value.
#ifndef CHARTLY_CONTROL_REPORTER_FIELD_NAMES_H_
#define CHARTLY_CONTROL_REPORTER_FIELD_NAMES_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "control/reporter/record_rows.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {

class FieldNames {
 public:
  void Add(const RecordRows& records);
  void Add(const FieldNames& other);
  bool saw_records() const { return saw_records_; }
  // The role and bare name of a name; one without a role is looked for among dims, measures, attrs in turn. False if no
  // record has it.
  bool Resolve(absl::string_view name, bool measure_first, Role& role, std::string& bare) const;
  // InvalidArgument (REPORT_UNKNOWN_FIELD) if the plan names a field that no record had; the message lists those there
  // were. OK if there were no records at all.
  absl::Status Check(const InputPlan& plan) const;

 private:
  bool Has(Role role, const std::string& name) const { return names_[static_cast<size_t>(role)].count(name) > 0; }
  absl::Status Unknown(const InputPlan& plan, absl::string_view what, absl::string_view name) const;

  std::set<std::string> names_[5];  // by Role
  bool saw_records_ = false;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_FIELD_NAMES_H_
