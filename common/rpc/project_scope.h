// The projects of a tenant that a caller may work in: all of them, or, of one that is bound, those alone. The project
// of a profile is what its id has before the first dot; a profile without a dot is in none, and so is not for bound
// callers.
//
// Plain data. It says nothing of what is there: names alone decide.
#ifndef CHARTLY_COMMON_RPC_PROJECT_SCOPE_H_
#define CHARTLY_COMMON_RPC_PROJECT_SCOPE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::rpc {

class ProjectScope {
 public:
  static constexpr size_t kMaxProjects = 32;

  // All projects.
  ProjectScope() = default;
  // These alone; none at all if there are none.
  static ProjectScope BoundTo(std::vector<std::string> projects);
  // These, as somebody asks for them; all if there are none. InvalidArgument (FIELD_INVALID) if one is no name of a
  // project, or if there are more than kMaxProjects.
  static absl::StatusOr<ProjectScope> Parse(std::vector<std::string> projects);

  bool bound() const { return bound_; }
  // In order, each once; none if it is not bound.
  const std::vector<std::string>& projects() const { return projects_; }
  bool Includes(absl::string_view profile_id) const;
  // Whether all of `other` is in it.
  bool Covers(const ProjectScope& other) const;
  // For people: "the projects energy, water".
  std::string Text() const;

  friend bool operator==(const ProjectScope& a, const ProjectScope& b) {
    return a.bound_ == b.bound_ && a.projects_ == b.projects_;
  }
  friend bool operator!=(const ProjectScope& a, const ProjectScope& b) { return !(a == b); }

 private:
  bool bound_ = false;
  std::vector<std::string> projects_;
};

// ^[a-z0-9][a-z0-9_-]{0,62}$
bool IsProject(absl::string_view name);
// PermissionDenied (PROJECT_NOT_YOURS): `principal` is bound, and the profile is not of its projects.
absl::Status NotYourProject(absl::string_view principal, const ProjectScope& scope, absl::string_view profile_id);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_PROJECT_SCOPE_H_
