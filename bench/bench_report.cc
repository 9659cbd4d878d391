#include "bench/bench_report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/text/json_string.h"

namespace chartly::bench {
namespace {

// Of this process and of its children that ended.
double CpuSeconds() {
  double seconds = 0;
  for (int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    struct rusage usage {};
    ::getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    }
  }
  return seconds;
}

bool LiesInMemory(const std::string& path) {
  struct statfs info = {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

}  // namespace

BenchFlags ParseFlags(int argc, char** argv) {
  BenchFlags flags;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      flags.quick = true;
    } else if (std::strncmp(argv[i], "--dir=", 6) == 0) {
      flags.dir = argv[i] + 6;
    } else if (std::strncmp(argv[i], "--rows=", 7) == 0 && absl::SimpleAtoi(argv[i] + 7, &flags.rows) &&
               flags.rows > 0) {
      continue;
    } else {
      std::fprintf(stderr, "unknown flag %s; known are --quick, --rows=N and --dir=PATH\n", argv[i]);
      std::exit(2);
    }
  }
  return flags;
}

BenchDir::BenchDir(const std::string& parent) {
  std::string base = parent;
  if (base.empty()) {
    base = std::filesystem::temp_directory_path().string();
    if (LiesInMemory(base)) base = std::filesystem::current_path().string();
  }
  std::string pattern = base + "/chartly-bench-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    std::fprintf(stderr, "cannot measure: no folder can be made in %s\n", base.c_str());
    std::exit(1);
  }
  path_ = pattern;
}

BenchDir::~BenchDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Stopwatch::Stopwatch() : wall_(std::chrono::steady_clock::now()), cpu_(CpuSeconds()) {}
double Stopwatch::Wall() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count();
}
double Stopwatch::Cpu() const { return CpuSeconds() - cpu_; }

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

bool AppendSynced(int fd, const std::string& bytes) {
  return ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fdatasync(fd) == 0;
}

double RawSyncedWrite(const std::string& dir, size_t bytes, size_t pieces) {
  std::string path = dir + "/raw";
  int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  std::string piece(std::max<size_t>(bytes / std::max<size_t>(pieces, 1), 1), '\0');
  uint64_t noise = 88172645463325252;  // so that nothing below can compress it
  for (char& byte : piece) {
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    byte = static_cast<char>(noise);
  }
  Stopwatch watch;
  bool written = true;
  for (size_t i = 0; i < pieces && written; ++i) {
    written = AppendSynced(fd, piece);
  }
  double seconds = watch.Wall();
  ::close(fd);
  ::unlink(path.c_str());
  return written ? seconds : -1;
}

void RecordFigure(const Figure& figure) {
  const char* path = std::getenv("CHARTLY_BENCH_FIGURES");
  if (path == nullptr) return;
  std::string bench = program_invocation_short_name;
  bench.resize(std::min(bench.size(), bench.rfind("_bench")));
  std::string line = "{\"bench\": ";
  AppendJsonString(line, bench);
  for (const auto& [name, text] : {std::pair("group", &figure.group), std::pair("kind", &figure.kind),
                                   std::pair("name", &figure.name), std::pair("unit", &figure.unit)}) {
    absl::StrAppend(&line, ", \"", name, "\": ");
    AppendJsonString(line, *text);
  }
  absl::StrAppendFormat(&line, ", \"value\": %.6g, \"bound\": %.6g, \"less_is_better\": %s}\n", figure.value,
                        figure.bound, figure.less_is_better ? "true" : "false");
  std::ofstream(path, std::ios::app) << line;
}

void RequireOk(const absl::Status& status, const std::string& what) {
  if (status.ok()) return;
  std::fprintf(stderr, "cannot measure: %s: %s\n", what.c_str(), std::string(status.message()).c_str());
  std::exit(1);
}

}  // namespace chartly::bench
