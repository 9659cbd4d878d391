#include "drone/fetch/file_errors.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly::drone {

bool IsInside(const std::filesystem::path& path, const std::filesystem::path& root) {
  auto [root_end, path_end] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return root_end == root.end() && path_end != path.end();
}

absl::Status FileOutsideError(const std::string& path, const std::string& root) {
  return Error(absl::StatusCode::kPermissionDenied, "FILE_OUTSIDE_SOURCE_DIR",
               absl::StrCat("source.path leads to ", ToUtf8(path), ", outside the drone's source folder ", root,
                            "; put the file there, or start the drone with another --source-dir"),
               {{"path", ToUtf8(path)}});
}

absl::Status FileError(const std::string& path, int error) {
  bool missing = error == ENOENT || error == ENOTDIR;
  return Error(missing ? absl::StatusCode::kNotFound : absl::StatusCode::kFailedPrecondition,
               missing ? "FILE_NOT_FOUND" : "FILE_UNREADABLE",
               absl::StrCat(ToUtf8(path), ": ", std::generic_category().message(error),
                            missing ? "; source.path counts from the drone's --source-dir" : ""),
               {{"path", ToUtf8(path)}});
}

}  // namespace chartly::drone
