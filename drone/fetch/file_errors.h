// What goes wrong with files of a source, in words that say what to do.
#ifndef CHARTLY_DRONE_FETCH_FILE_ERRORS_H_
#define CHARTLY_DRONE_FETCH_FILE_ERRORS_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"

namespace chartly::drone {

bool IsInside(const std::filesystem::path& path, const std::filesystem::path& root);

// FILE_OUTSIDE_SOURCE_DIR.
absl::Status FileOutsideError(const std::string& path, const std::string& root);
// FILE_NOT_FOUND or FILE_UNREADABLE, by errno.
absl::Status FileError(const std::string& path, int error);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_FILE_ERRORS_H_
