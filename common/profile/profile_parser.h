// Reads profiles from YAML. All faults of a text are reported at once, each with line, column and path; an unknown
// key names the nearest known one; aliases, anchors, tags, merge keys and duplicate keys are refused before any node
// is built. Texts are at most 256 KiB and 32 levels deep. Thread-safe and pure.
#ifndef CHARTLY_COMMON_PROFILE_PROFILE_PARSER_H_
#define CHARTLY_COMMON_PROFILE_PROFILE_PARSER_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly {

struct ProfileFault {
  int line = 0;         // one-based; 0 for the whole text
  int column = 0;       // one-based
  std::string path;     // schedule.interval
  std::string reason;   // UPPER_SNAKE: PROFILE_KEY_UNKNOWN
  std::string message;  // what is wrong and what to do
};

struct ProfileParseResult {
  Profile profile;                   // complete only if faults is empty
  std::vector<ProfileFault> faults;  // in order of line
  // Line and column of the filter and of the values of the mapping by their paths, for faults that are found later
  // (common/normalize/validate.h).
  std::map<std::string, std::pair<int, int>> positions;
  bool ok() const { return faults.empty(); }
};

// Checks everything but the filter and the functions, which belong to common/normalize: callers that take a profile
// from outside use ValidateProfile (common/normalize/validate.h).
ProfileParseResult ParseProfile(absl::string_view yaml);

// "file:line:column: path: message", one a line.
std::string FormatFaults(absl::string_view filename, const std::vector<ProfileFault>& faults);

// OK, or InvalidArgument (PROFILE_INVALID) with FormatFaults as message.
absl::StatusOr<Profile> ParseProfileOrError(absl::string_view filename, absl::string_view yaml);

// "sha256:" + 64 lower-case hex digits of the text's bytes.
std::string ContentHash(absl::string_view yaml);

// The fields of a text as (dotted path, text), in order of path, for DiffProfile. Requires: it parses.
std::vector<std::pair<std::string, std::string>> FlattenProfile(absl::string_view yaml);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_PROFILE_PARSER_H_
