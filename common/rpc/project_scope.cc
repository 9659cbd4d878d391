#include "common/rpc/project_scope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"

namespace chartly::rpc {
namespace {

constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxShown = 80;  // bytes of a name that a message repeats

absl::Status Invalid(const std::string& message) {
  return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", absl::StrCat("projects: ", message),
               {{"field", "projects"}});
}

}  // namespace

bool IsProject(absl::string_view name) {
  auto plain = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  return !name.empty() && name.size() <= kMaxNameBytes && plain(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '_' || c == '-'; });
}

ProjectScope ProjectScope::BoundTo(std::vector<std::string> projects) {
  ProjectScope scope;
  scope.bound_ = true;
  scope.projects_ = std::move(projects);
  std::sort(scope.projects_.begin(), scope.projects_.end());
  scope.projects_.erase(std::unique(scope.projects_.begin(), scope.projects_.end()), scope.projects_.end());
  return scope;
}

absl::StatusOr<ProjectScope> ProjectScope::Parse(std::vector<std::string> projects) {
  if (projects.empty()) return ProjectScope();
  for (const std::string& name : projects) {
    if (IsProject(name)) continue;
    return Invalid(absl::StrCat("'", name.substr(0, kMaxShown),
                                "' is no name of a project, which is what ids of profiles have before their first dot: "
                                "a-z, 0-9, '_' and '-', at most 63, beginning with a letter or a digit"));
  }
  ProjectScope scope = BoundTo(std::move(projects));
  if (scope.projects_.size() > kMaxProjects) return Invalid(absl::StrCat("at most ", kMaxProjects));
  return scope;
}

bool ProjectScope::Includes(absl::string_view profile_id) const {
  if (!bound_) return true;
  const size_t dot = profile_id.find('.');
  if (dot == profile_id.npos) return false;
  return std::binary_search(projects_.begin(), projects_.end(), profile_id.substr(0, dot));
}

bool ProjectScope::Covers(const ProjectScope& other) const {
  if (!bound_) return true;
  return other.bound_ &&
         std::includes(projects_.begin(), projects_.end(), other.projects_.begin(), other.projects_.end());
}

std::string ProjectScope::Text() const {
  if (!bound_) return "all projects";
  if (projects_.empty()) return "no project";
  return absl::StrCat(projects_.size() == 1 ? "the project " : "the projects ", absl::StrJoin(projects_, ", "));
}

absl::Status NotYourProject(absl::string_view principal, const ProjectScope& scope, absl::string_view profile_id) {
  const std::string about = profile_id.empty()
                                ? std::string("; name a profile of them")
                                : absl::StrCat(", and profile '", profile_id.substr(0, kMaxShown),
                                               "' is not of them; name one that begins with a project and a dot, or "
                                               "ask an admin for another key");
  return Error(absl::StatusCode::kPermissionDenied, "PROJECT_NOT_YOURS",
               absl::StrCat(principal, " is bound to ", scope.Text(), about));
}

}  // namespace chartly::rpc
