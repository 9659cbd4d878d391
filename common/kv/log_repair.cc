#include "common/kv/log_repair.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kv/log_check.h"
#include "common/status/status.h"

namespace chartly {
namespace {

namespace fs = std::filesystem;

// RocksDB leaves files with names that it does not know alone.
constexpr char kCutSuffix[] = ".damaged";

absl::Status Failed(const std::string& path, absl::string_view cause) {
  return Error(absl::StatusCode::kUnavailable, "STORE_IO_ERROR",
               absl::StrCat("the damaged log ", path, " cannot be set aside: ", cause), {{"path", path}});
}

absl::Status Sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const int cause = errno;
  if (file >= 0) ::close(file);
  return synced ? absl::OkStatus() : Failed(path, std::strerror(cause));
}

std::vector<std::string> FilesWith(const std::string& path, const std::string& extension) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == extension) files.push_back(it->path().string());
  }
  // Their names are numbers of six digits, and of more once these do not do.
  std::sort(files.begin(), files.end(),
            [](const std::string& a, const std::string& b) { return std::pair(a.size(), a) < std::pair(b.size(), b); });
  return files;
}

// A copy, not a new name: a kill in between must not leave the store without its log.
absl::Status KeepCopy(const std::string& path, const std::string& log) {
  const std::string unfinished = log + ".copy";
  std::error_code error;
  fs::copy_file(log, unfinished, fs::copy_options::overwrite_existing, error);
  if (error) return Failed(log, error.message());
  RETURN_IF_ERROR(Sync(unfinished));
  fs::rename(unfinished, log + kCutSuffix, error);
  if (error) return Failed(log, error.message());
  return Sync(path);
}

}  // namespace

absl::StatusOr<std::optional<std::string>> CutDamagedLog(const std::string& path) {
  std::vector<std::string> others = FilesWith(path, ".log");
  if (others.empty()) return std::nullopt;
  const std::string last = std::move(others.back());
  others.pop_back();
  std::string manifest;
  std::ifstream(path + "/CURRENT") >> manifest;
  others.push_back(path + "/" + manifest);
  for (const std::string& other : others) {
    ASSIGN_OR_RETURN(const std::optional<LogDamage> damage, FindLogDamage(other));
    if (damage.has_value()) return std::nullopt;
  }
  ASSIGN_OR_RETURN(const std::optional<LogDamage> damage, FindLogDamage(last));
  if (!damage.has_value()) return std::nullopt;
  std::error_code error;
  const uint64_t size = fs::file_size(last, error);
  if (error) return Failed(last, error.message());
  RETURN_IF_ERROR(KeepCopy(path, last));
  fs::resize_file(last, damage->at, error);
  if (error) return Failed(last, error.message());
  RETURN_IF_ERROR(Sync(last));
  return absl::StrCat(fs::path(last).filename().string(), ": ", damage->what, "; its last ", size - damage->at,
                      " bytes were set aside");
}

std::vector<std::string> CutLogs(const std::string& path) { return FilesWith(path, kCutSuffix); }

}  // namespace chartly
