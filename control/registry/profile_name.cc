#include "control/registry/profile_name.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/profile/profile.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

constexpr char kCollection[] = "profiles/";
constexpr size_t kMaxShown = 80;  // bytes of a bad name that a message repeats

absl::Status Invalid(absl::string_view field, absl::string_view name, absl::string_view form) {
  return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
               absl::StrCat(field, " '", name.substr(0, kMaxShown), "' is not of the form ", form,
                            "; an id has 1 to 63 of a-z, 0-9, '.', '_', '-' and begins with a letter or a digit"),
               {{"field", field}});
}

}  // namespace

absl::StatusOr<ProfileName> ParseProfileName(absl::string_view field, absl::string_view name) {
  constexpr char kForm[] = "profiles/{id}, optionally with @{version or sha256:hash}";
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, kCollection)) return Invalid(field, name, kForm);
  size_t at = rest.find('@');
  absl::string_view id = rest.substr(0, at);
  absl::string_view reference = at == absl::string_view::npos ? "" : rest.substr(at + 1);
  bool empty_reference = at != absl::string_view::npos && reference.empty();
  if (!IsValidId(id) || empty_reference || absl::StrContains(reference, "/")) return Invalid(field, name, kForm);
  return ProfileName{std::string(id), std::string(reference)};
}

absl::StatusOr<std::string> ParsePlainProfileName(absl::string_view field, absl::string_view name) {
  auto parsed = ParseProfileName(field, name);
  if (!parsed.ok() || !parsed->reference.empty()) return Invalid(field, name, "profiles/{id}");
  return parsed->id;
}

std::string ProfileNameOf(absl::string_view id) { return absl::StrCat(kCollection, id); }

}  // namespace chartly::registry
