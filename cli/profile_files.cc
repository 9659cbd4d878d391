#include "cli/profile_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/normalize/validate.h"
#include "common/status/status.h"

namespace chartly::cli {

absl::StatusOr<std::string> ReadTextFile(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  std::stringstream content;
  if (std::filesystem::is_directory(name)) errno = EISDIR;
  if (!file || std::filesystem::is_directory(name)) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE",
                 absl::StrCat("cannot read ", name, ": ", std::strerror(errno)), {{"file", name}});
  }
  content << file.rdbuf();
  return content.str();
}

absl::StatusOr<std::vector<ProfileFile>> ReadProfileFiles(Session& session, const std::vector<std::string>& names) {
  std::vector<ProfileFile> files;
  int faulty = 0;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(std::string text, ReadTextFile(name));
    ProfileParseResult result = ValidateProfile(text);
    if (!result.ok()) {
      std::string faults = FormatFaults(name, result.faults);
      session.err << faults << (faults.empty() || faults.back() != '\n' ? "\n" : "");
      ++faulty;
      continue;
    }
    files.push_back({name, std::move(text), std::move(result.profile)});
  }
  if (faulty == 0) return files;
  return Error(absl::StatusCode::kInvalidArgument, "PROFILE_INVALID",
               absl::StrCat("faults in ", faulty, " of ", names.size(), names.size() == 1 ? " profile" : " profiles"));
}

}  // namespace chartly::cli
