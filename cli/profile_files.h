// Profiles in files, checked before anything is done with them.
#ifndef CHARTLY_CLI_PROFILE_FILES_H_
#define CHARTLY_CLI_PROFILE_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/session.h"
#include "common/profile/profile_parser.h"

namespace chartly::cli {

struct ProfileFile {
  std::string name;
  std::string text;
  Profile profile;
};

// The text of a file. InvalidArgument (FILE_UNREADABLE) names it.
absl::StatusOr<std::string> ReadTextFile(const std::string& name);

// Reads and checks all files. On faults all of them, of all files, are on `err`, and the answer is InvalidArgument
// (PROFILE_INVALID).
absl::StatusOr<std::vector<ProfileFile>> ReadProfileFiles(Session& session, const std::vector<std::string>& names);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_PROFILE_FILES_H_
