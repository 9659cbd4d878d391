// Decides what becomes of a column: dim, measure or attr, under which name, and how it is read. Internal to this
// folder. Pure, thread-safe.
#ifndef CHARTLY_DRONE_SUGGEST_FIELD_ROLE_H_
#define CHARTLY_DRONE_SUGGEST_FIELD_ROLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/profile/profile.h"
#include "drone/suggest/column_survey.h"

namespace chartly::drone {

struct SuggestedField {
  std::string from;
  FieldRole role = FieldRole::kAttr;
  std::string to;                      // without the role's prefix
  std::string type;                    // as in the profile; empty: none is written
  std::vector<std::string> functions;  // of `using`
  std::string unit;
  bool is_time = false;
  bool is_id = false;
  double confidence = 0.5;
  std::string why;
};

// A field for a column that has any value; `from` is its path.
SuggestedField SuggestField(const std::string& from, const ColumnSurvey& column);

// geometry.coordinates[2] -> coordinates_2, Employment Rate (%) -> employment_rate.
std::string TargetName(absl::string_view path);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SUGGEST_FIELD_ROLE_H_
