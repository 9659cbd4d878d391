#include "common/backup/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/status/status.h"

namespace chartly::backup {
namespace {

namespace fs = std::filesystem;

using File = std::unique_ptr<std::FILE, FreedBy<std::fclose>>;

absl::Status WriteWhole(const std::string& path, absl::string_view content, bool sync) {
  File file(std::fopen(path.c_str(), "wbe"));
  if (file == nullptr || std::fwrite(content.data(), 1, content.size(), file.get()) != content.size() ||
      std::fflush(file.get()) != 0 || (sync && ::fsync(::fileno(file.get())) != 0)) {
    return IoError(path, std::strerror(errno));
  }
  return absl::OkStatus();
}

absl::Status Replace(const std::string& path, absl::string_view content, bool sync) {
  const std::string folder = fs::path(path).parent_path().string();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return IoError(folder, error.message());
  RETURN_IF_ERROR(WriteWhole(path + ".new", content, sync));
  fs::rename(path + ".new", path, error);
  if (error) return IoError(path, error.message());
  return sync ? SyncFolder(folder) : absl::OkStatus();
}

}  // namespace

absl::Status IoError(const std::string& path, absl::string_view what) {
  return Error(absl::StatusCode::kUnavailable, "BACKUP_IO_ERROR",
               absl::StrCat(path, " cannot be read or written: ", what, "; check the folder for backups"),
               {{"path", path}});
}

absl::Status WriteDurably(const std::string& path, absl::string_view content) { return Replace(path, content, true); }

absl::Status WriteAtOnce(const std::string& path, absl::string_view content) { return Replace(path, content, false); }

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  File file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return errno == ENOENT ? absl::NotFoundError("missing") : IoError(path, std::strerror(errno));
  std::string content;
  std::error_code error;
  content.resize(static_cast<size_t>(fs::file_size(path, error)));
  if (error) return IoError(path, error.message());
  content.resize(std::fread(content.data(), 1, content.size(), file.get()));
  if (std::ferror(file.get()) != 0) return IoError(path, std::strerror(errno));
  return content;
}

absl::Status SyncFolder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  const absl::Status status = synced ? absl::OkStatus() : IoError(path, std::strerror(errno));
  if (folder >= 0) ::close(folder);
  return status;
}

}  // namespace chartly::backup
