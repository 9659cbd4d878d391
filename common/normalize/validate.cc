#include "common/normalize/validate.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/normalize/profile_compiler.h"
#include "common/profile/secret_scan.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// The position of a path, or of the nearest one above it: `using` may be a single text without [0].
std::pair<int, int> PositionOf(const ProfileParseResult& result, std::string path, int line) {
  while (!path.empty()) {
    auto found = result.positions.find(path);
    if (found != result.positions.end()) return found->second;
    size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return {line, 1};
}

}  // namespace

ProfileParseResult ValidateProfile(absl::string_view yaml) {
  ProfileParseResult result;
  result.faults = FindSecrets(yaml);
  if (!result.ok()) return result;
  result = ParseProfile(yaml);
  std::vector<CompileFault> faults;
  CompileProfile(result.profile, faults);
  bool parsed = result.ok();
  for (CompileFault& fault : faults) {
    // What a mapping with faults maps is not known.
    if (!parsed && fault.reason == kReasonNameNotMapped) continue;
    auto [line, column] = PositionOf(result, fault.path, fault.line);
    std::string reason = absl::StrCat(fault.reason.compare(0, 8, "PROFILE_") == 0 ? "" : "PROFILE_", fault.reason);
    result.faults.push_back({line, column, std::move(fault.path), std::move(reason), std::move(fault.message)});
  }
  std::stable_sort(result.faults.begin(), result.faults.end(), [](const ProfileFault& a, const ProfileFault& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return result;
}

absl::StatusOr<Profile> ValidateProfileOrError(absl::string_view filename, absl::string_view yaml) {
  ProfileParseResult result = ValidateProfile(yaml);
  if (result.ok()) return std::move(result.profile);
  return Error(absl::StatusCode::kInvalidArgument, "PROFILE_INVALID", FormatFaults(filename, result.faults));
}

}  // namespace chartly
