// The files that a path with * and ? means. Thread-safe; reads folders, opens no file.
#ifndef CHARTLY_DRONE_FETCH_FILE_GLOB_H_
#define CHARTLY_DRONE_FETCH_FILE_GLOB_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

inline constexpr size_t kMaxFilesFound = 100'000;

// Whether a name, or a path, holds a * or ?.
bool IsPattern(absl::string_view text);
// Whether `pattern` means the name: * any characters, ? one. A name that begins with a dot needs a dot in the pattern.
bool MatchesName(absl::string_view pattern, absl::string_view name);

// The regular files below `root` that `pattern`, a path relative to it, means, in order of name (by bytes), relative to
// root. Without * or ? that is `pattern` itself, whether it is there or not. None fits: an empty list, if the folder
// before the first pattern is there. FILE_NOT_FOUND or FILE_UNREADABLE for a folder; FILE_OUTSIDE_SOURCE_DIR if one is
// reached by a link that leads out of root; FILE_TOO_MANY past kMaxFilesFound.
absl::StatusOr<std::vector<std::string>> FindFiles(const std::string& root, const std::string& pattern);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_FILE_GLOB_H_
