// Writes a first profile for a payload nobody has described yet: format, row selector, what each field is, key,
// schedule. A person reads and corrects it; every decision says how sure it is. Pure, thread-safe.
#ifndef CHARTLY_DRONE_SUGGEST_SUGGEST_H_
#define CHARTLY_DRONE_SUGGEST_SUGGEST_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "drone/suggest/field_role.h"

namespace chartly::drone {

struct SuggestInput {
  std::string id;  // of the profile; made of the address if empty
  SourceType type = SourceType::kHttpRest;
  std::string address;  // url, or path below the drone's source folder
  std::string payload;  // unpacked
  std::string content_type;
  std::map<std::string, std::string> headers;  // of the answer, names in lower case: cache headers give the schedule
  absl::Time now;
};

struct Suggestion {
  std::string yaml;       // validates
  double confidence = 0;  // of the whole, 0 to 1
  std::string shape;      // how rows were found, for people
  int64_t rows = 0;
  std::vector<SuggestedField> fields;
  std::vector<std::string> key;    // targets of the dims that tell records apart; empty if nothing does
  std::vector<std::string> notes;  // what to look at
};

// InvalidArgument (PAYLOAD_NO_ROWS, or why the payload cannot be read) if nothing in it looks like rows.
absl::StatusOr<Suggestion> SuggestProfile(const SuggestInput& input);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SUGGEST_SUGGEST_H_
