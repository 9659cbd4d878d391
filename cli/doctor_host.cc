// The checks of chartly doctor that concern this host alone.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/doctor.h"
#include "cli/table.h"

namespace chartly::cli {
namespace {

namespace fs = std::filesystem;

constexpr rlim_t kFilesEnough = 1024;
constexpr int64_t kDiskFull = int64_t{64} << 20;
constexpr int kSyncs = 21;
constexpr absl::Duration kSyncSlow = absl::Milliseconds(50);
constexpr char kAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";

void ExamineProxies(const Session& session, Diagnosis& diagnosis) {
  bool any = false;
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    if (session.Variable(name).empty()) continue;
    any = true;
    // Its value may hold a password.
    diagnosis.Found("DOCTOR_PROXY_IGNORED", name, "it is set, and drones connect without it");
  }
  if (!any) diagnosis.Good("proxy", "environment", "no proxy is set");
}

void ExamineAuthorities(Diagnosis& diagnosis) {
  std::error_code error;
  bool there = fs::file_size(kAuthorities, error) > 0 && !error;
  if (there) return diagnosis.Good("tls", kAuthorities, "certificate authorities are installed");
  diagnosis.Found("DOCTOR_AUTHORITIES_MISSING", kAuthorities, "the file is missing or empty");
}

void ExamineQuota(Diagnosis& diagnosis) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  std::string seen = absl::StrCat(files.rlim_cur, " files may be open (hard limit ", files.rlim_max, ")");
  if (files.rlim_cur < kFilesEnough) return diagnosis.Found("DOCTOR_FILES_LIMIT_LOW", "nofile", seen);
  diagnosis.Good("quota", "nofile", seen);
}

// The median time of writing 4 KiB so that they stay; empty cause in `error` if it could be measured.
absl::Duration MeasureSync(const std::string& folder, std::string& error) {
  std::string path = absl::StrCat(folder, "/doctor-XXXXXX");
  int fd = ::mkostemp(path.data(), O_CLOEXEC);
  std::array<absl::Duration, kSyncs> times;
  const std::array<char, 4096> block{};
  for (absl::Duration& time : times) {
    absl::Time begin = absl::Now();
    bool good = fd >= 0 && ::write(fd, block.data(), block.size()) == static_cast<ssize_t>(block.size()) &&
                ::fdatasync(fd) == 0;
    if (!good) {
      error = std::strerror(errno);
      break;
    }
    time = absl::Now() - begin;
  }
  if (fd >= 0) {
    ::close(fd);
    ::unlink(path.c_str());
  }
  std::nth_element(times.begin(), times.begin() + kSyncs / 2, times.end());
  return times[kSyncs / 2];
}

int64_t BytesIn(const std::string& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code gone;
    uintmax_t size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

void ExamineSpace(const DoctorOptions& options, Diagnosis& diagnosis) {
  struct statvfs disk {};
  if (::statvfs(options.data_dir.c_str(), &disk) != 0) return;
  auto free = static_cast<int64_t>(disk.f_bavail * disk.f_frsize);
  int64_t spool = BytesIn(options.data_dir + "/spool");
  int64_t growth = std::max<int64_t>(0, options.spool_bytes - spool);
  std::string seen = absl::StrCat(FormatBytes(free), " free, the spool may still grow by ", FormatBytes(growth));
  if (free < kDiskFull) return diagnosis.Found("DOCTOR_DISK_FULL", options.data_dir, seen);
  if (free < growth) return diagnosis.Found("DOCTOR_DISK_LOW", options.data_dir, seen);
  diagnosis.Good("disk", options.data_dir, seen);
}

// Of a data folder that is not there yet, that folder counts in which it would be made.
std::string NearestFolder(fs::path path) {
  std::error_code error;
  while (!path.empty() && !fs::exists(path, error)) path = path.parent_path();
  return path.empty() ? "." : path.string();
}

void ExamineDisk(DoctorOptions options, Diagnosis& diagnosis) {
  if (std::string nearest = NearestFolder(options.data_dir); nearest != options.data_dir) {
    diagnosis.Found("DOCTOR_DATA_MISSING", options.data_dir, absl::StrCat("only ", nearest, " exists"));
    options.data_dir = nearest;
  }
  std::string error;
  absl::Duration sync = MeasureSync(options.data_dir, error);
  if (!error.empty()) return diagnosis.Found("DOCTOR_DATA_UNUSABLE", options.data_dir, error);
  ExamineSpace(options, diagnosis);
  std::string seen =
      absl::StrCat("4 KiB are durable after ", absl::FormatDuration(absl::Trunc(sync, absl::Microseconds(1))));
  if (sync > kSyncSlow) return diagnosis.Found("DOCTOR_FSYNC_SLOW", options.data_dir, seen);
  diagnosis.Good("disk", options.data_dir, seen);
}

// Whether a drone holds the spool (docs/formats/spool.md).
bool IsLocked(const std::string& folder) {
  int fd = ::open((folder + "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return locked;
}

void ExamineSpool(const DoctorOptions& options, Diagnosis& diagnosis) {
  const std::string folder = options.data_dir + "/spool";
  std::error_code error;
  if (!fs::is_directory(folder, error)) return diagnosis.Good("spool", folder, "there is none yet");
  std::vector<std::string> damaged;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (absl::EndsWith(entry->path().string(), ".damaged")) damaged.push_back(entry->path().filename().string());
  }
  if (!damaged.empty()) {
    std::sort(damaged.begin(), damaged.end());
    diagnosis.Found("DOCTOR_SPOOL_DAMAGED", folder, absl::StrCat(damaged.size(), " set aside, first: ", damaged[0]));
  }
  diagnosis.Good("spool", folder,
                 absl::StrCat(FormatBytes(BytesIn(folder)),
                              IsLocked(folder) ? ", a drone works on it" : ", no drone works on it"));
}

}  // namespace

void ExamineHost(const Session& session, const DoctorOptions& options, Diagnosis& diagnosis) {
  ExamineProxies(session, diagnosis);
  ExamineAuthorities(diagnosis);
  ExamineQuota(diagnosis);
  ExamineDisk(options, diagnosis);
  ExamineSpool(options, diagnosis);
}

}  // namespace chartly::cli
