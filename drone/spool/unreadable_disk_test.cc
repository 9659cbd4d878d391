// A disk that gives back errors where it holds what was written.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "drone/spool/spool_fixture_test.h"

namespace {

constexpr off_t kBlock = 4096;

// Of the file `inode` some blocks cannot be read.
struct BadBlocks {
  ino_t inode = 0;
  off_t begin = 0;
  off_t end = 0;
  int failures = 0;  // that are left
};
BadBlocks bad;

}  // namespace

// Stands in front of the one of the C library, in this program. As the kernel does, it gives what lies before the bad
// block if that is not the first.
extern "C" ssize_t pread(int fd, void* buffer, size_t size, off_t offset) {
  struct stat info {};
  bool meant = bad.failures > 0 && ::fstat(fd, &info) == 0 && info.st_ino == bad.inode &&
               offset + static_cast<off_t>(size) > bad.begin && offset < bad.end;
  if (meant && offset >= bad.begin) {
    --bad.failures;
    errno = EIO;
    return -1;
  }
  if (meant) size = static_cast<size_t>(bad.begin - offset);
  return ::syscall(SYS_pread64, fd, buffer, size, offset);
}

namespace chartly::drone {
namespace {

using testing::TempDir;
namespace fs = std::filesystem;

constexpr int kForGood = 1 << 20;
constexpr int64_t kEntries = 12;

// The disk cannot read `blocks` of the file from `begin` on, so many times.
class Fault {
 public:
  Fault(const std::string& path, off_t begin, int failures, int blocks = 1) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    bad = {info.st_ino, begin, begin + blocks * kBlock, failures};
  }
  ~Fault() { bad = {}; }
};

std::map<int64_t, std::string> Fill(const std::string& path) {
  SpoolOptions options;
  options.sync_for_test = [](int) { return 0; };
  auto spool = OpenSpool(path, std::move(options));
  REQUIRE_OK(spool->BeginRun(RunOf("r")));
  std::map<int64_t, std::string> written;
  for (int64_t i = 0; i < kEntries; ++i) {
    std::string payload(3000, static_cast<char>('a' + i));
    auto seq = spool->Append("r", payload, 1);
    REQUIRE_OK(seq);
    written[*seq] = payload;
  }
  return written;
}

// What can be read, and checks that what cannot was told.
std::map<int64_t, std::string> ReadAndCompare(Spool& spool, const std::map<int64_t, std::string>& written) {
  std::map<int64_t, std::string> read;
  for (const SpoolEntry& entry : ReadAll(spool)) {
    CHECK(written.at(entry.seq) == entry.payload);
    read[entry.seq] = entry.payload;
  }
  size_t told = 0;
  for (const auto& [first, last] : spool.recovery().lost) {
    for (int64_t seq = first; seq <= last; ++seq) told += read.count(seq) == 0 ? 1 : 0;
  }
  CHECK(told + read.size() == written.size());
  return read;
}

}  // namespace

TEST_CASE("a segment with a block that cannot be read is set aside, and the spool opens without what was in it") {
  off_t size = kBlock;
  for (off_t begin = 0; begin < size; begin += kBlock) {
    INFO("block at " << begin);
    TempDir dir;
    auto written = Fill(dir.path());
    const std::string path = FilesWith(dir.path(), ".seg").at(0);
    size = static_cast<off_t>(fs::file_size(path));
    Fault fault(path, begin, kForGood);
    auto spool = OpenSpool(dir.path());
    auto read = ReadAndCompare(*spool, written);
    CHECK(read.size() >= kEntries - 3);
    CHECK(read.size() < kEntries);
    CHECK(FilesWith(dir.path(), ".damaged").size() == 1);
    CHECK_OK(spool->Append("r", "more", 1));
    spool.reset();
    spool = OpenSpool(dir.path());
    CHECK(ReadAll(*spool).size() == read.size() + 1);
  }
}

TEST_CASE("a block that can be read at the second try costs nothing") {
  TempDir dir;
  auto written = Fill(dir.path());
  const std::string path = FilesWith(dir.path(), ".seg").at(0);
  Fault fault(path, kBlock, 1);
  auto spool = OpenSpool(dir.path());
  CHECK(ReadAndCompare(*spool, written).size() == written.size());
  CHECK(FilesWith(dir.path(), ".damaged").empty());
}

TEST_CASE("a block that fails while the spool is at work ends it, and the next one knows what is lost") {
  TempDir dir;
  auto written = Fill(dir.path());
  auto spool = OpenSpool(dir.path());
  Fault fault(FilesWith(dir.path(), ".seg").at(0), kBlock, kForGood);
  absl::StatusOr<std::vector<SpoolEntry>> entries = spool->Read(1, 1 << 20);
  CHECK(absl::IsDataLoss(entries.status()));
  CHECK_FALSE(spool->health().ok());
  spool.reset();
  spool = OpenSpool(dir.path());
  CHECK(ReadAndCompare(*spool, written).size() < written.size());
}

TEST_CASE("files beside the segments that cannot be read are damaged ones") {
  TempDir dir;
  auto written = Fill(dir.path());
  {
    Fault fault(dir.File("watermark"), 0, kForGood, 2);
    auto spool = OpenSpool(dir.path());
    CHECK(spool->recovery().watermark_damaged);
    CHECK(ReadAll(*spool).size() == written.size());
  }
  Fault fault(FilesWith(dir.File("runs"), ".run").at(0), 0, kForGood, 2);
  auto spool = OpenSpool(dir.path());
  CHECK(FilesWith(dir.File("runs"), ".damaged").size() == 1);
  CHECK(ReadAll(*spool).size() == written.size());
}

}  // namespace chartly::drone
