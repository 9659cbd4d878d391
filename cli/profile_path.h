// Where a profile is, for all commands that deal with one.
#ifndef CHARTLY_CLI_PROFILE_PATH_H_
#define CHARTLY_CLI_PROFILE_PATH_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cli/api_client.h"

namespace chartly::cli {

// `profile`: an id, with what the method takes after @.
inline std::string ProfilePath(absl::string_view profile) {
  return absl::StrCat("/api/profiles/", PercentEncode(profile));
}

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_PROFILE_PATH_H_
