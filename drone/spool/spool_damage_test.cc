// What is left of a spool whose files were damaged, and of one whose disk is full.
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include <csignal>
#include <fstream>
#include <map>

#include "drone/spool/little_endian.h"
#include "drone/spool/spool_fixture_test.h"

namespace chartly::drone {
namespace {

using testing::TempDir;
namespace fs = std::filesystem;

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void Overwrite(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Ten entries of 500 bytes in segments of 2 KiB: three a segment.
std::map<int64_t, std::string> Fill(const std::string& path) {
  std::map<int64_t, std::string> written;
  auto spool = OpenSpool(path, SmallSegments());
  REQUIRE_OK(spool->BeginRun(RunOf("r")));
  for (int i = 0; i < 10; ++i) {
    std::string payload(500, static_cast<char>('a' + i));
    auto seq = spool->Append("r", payload, 1);
    REQUIRE_OK(seq);
    written[*seq] = payload;
  }
  return written;
}

TEST_CASE("a torn tail is cut to the last good record, wherever it tore") {
  TempDir dir;
  auto written = Fill(dir.File("whole"));
  std::string last = FilesWith(dir.File("whole"), ".seg").back();
  auto size = fs::file_size(last);
  size_t record = kRecordHeaderBytes + 1 + 500;
  for (size_t cut = 1; cut < record; cut += 37) {
    INFO("cut " << cut);
    std::string copy = dir.File("copy");
    fs::remove_all(copy);
    fs::copy(dir.File("whole"), copy, fs::copy_options::recursive);
    fs::resize_file(copy + "/" + fs::path(last).filename().string(), size - cut);
    auto spool = OpenSpool(copy, SmallSegments());
    CHECK(spool->recovery().torn_bytes == static_cast<int64_t>(record - cut));
    CHECK(spool->recovery().lost.empty());
    CHECK(ReadAll(*spool).size() == 9);
    CHECK(spool->OpenRuns()[0].fetched() == 9);
    CHECK(*spool->Append("r", "again", 1) == 10);
    spool.reset();
    spool = OpenSpool(copy, SmallSegments());
    CHECK(spool->recovery().torn_bytes == 0);
    CHECK(ReadAll(*spool).back().payload == "again");
  }
}

TEST_CASE("damage in the middle is set aside and reported, and what lies around it stays readable") {
  TempDir dir;
  auto written = Fill(dir.path());
  std::string second = FilesWith(dir.path(), ".seg")[1];
  std::string bytes = Slurp(second);
  bytes[kSegmentHeaderBytes + 541 + 300] ^= 4;  // in the second record of the segment
  Overwrite(second, bytes);

  auto spool = OpenSpool(dir.path(), SmallSegments());
  REQUIRE(spool->recovery().lost.size() == 1);
  CHECK(spool->recovery().lost[0] == std::pair<int64_t, int64_t>(5, 5));
  CHECK(FilesWith(dir.path(), ".damaged").size() == 1);
  written.erase(5);
  std::map<int64_t, std::string> read;
  for (const SpoolEntry& entry : ReadAll(*spool)) read[entry.seq] = entry.payload;
  CHECK(read == written);
  // A read never runs across a gap.
  CHECK(spool->Read(1, 1 << 20)->back().seq == 4);
  CHECK(spool->Read(5, 1 << 20)->front().seq == 6);
  spool.reset();
  spool = OpenSpool(dir.path(), SmallSegments());
  CHECK(spool->recovery().lost.empty());
  CHECK(FilesWith(dir.path(), ".damaged").size() == 1);
  CHECK(ReadAll(*spool).size() == 9);
}

TEST_CASE("a spool of another format version is refused and left as it is") {
  TempDir dir;
  Fill(dir.path());
  std::string victim = FilesWith(dir.path(), ".seg")[0];
  std::string bytes = Slurp(victim);
  bytes[8] = kSpoolFormatVersion + 1;
  std::string sum;
  PutFixed64(sum, XXH3_64bits(bytes.data(), 56));
  Overwrite(victim, bytes.replace(56, 8, sum));
  SpoolOptions options;
  options.path = dir.path();
  auto spool = Spool::Open(options);
  CHECK(Reason(spool.status()) == "SPOOL_VERSION_UNKNOWN");
  CHECK(Slurp(victim) == bytes);
}

TEST_CASE("damage that happens while the spool is open stops it, and the next process knows what is lost") {
  TempDir dir;
  SpoolOptions options;
  int failures = 0;
  options.on_failure = [&failures] { ++failures; };
  auto spool = OpenSpool(dir.path(), options);
  REQUIRE_OK(spool->BeginRun(RunOf("r")));
  for (int i = 0; i < 5; ++i) REQUIRE_OK(spool->Append("r", std::string(100, 'x'), 1));
  std::string path = FilesWith(dir.path(), ".seg")[0];
  std::string bytes = Slurp(path);
  bytes[kSegmentHeaderBytes + 141 * 2 + 60] ^= 1;  // in the third record
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << bytes;
  CHECK(spool->Read(1, 150)->size() == 1);
  CHECK(Reason(spool->Read(3, 4096).status()) == "SPOOL_FAILED");
  CHECK(absl::IsDataLoss(spool->health()));
  CHECK(failures == 1);
  CHECK(Reason(spool->Append("r", "later", 1).status()) == "SPOOL_FAILED");
  spool.reset();
  spool = OpenSpool(dir.path());
  CHECK(spool->recovery().lost == std::vector<SeqRange>{{3, 3}});
  CHECK(ReadAll(*spool).size() == 4);
  CHECK(spool->DamageOf("r") == SeqRange{3, 3});
}

// A file system of `bytes` bytes, or, without the right to mount one, a limit on the size of files.
class TinyDisk {
 public:
  explicit TinyDisk(const std::string& path) : path_(path) {
    fs::create_directory(path);
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=256k") == 0;
    if (mounted_) return;
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit tiny = before_;
    tiny.rlim_cur = 200 * 1024;
    ::setrlimit(RLIMIT_FSIZE, &tiny);
  }
  ~TinyDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    if (!mounted_) ::setrlimit(RLIMIT_FSIZE, &before_);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
  rlimit before_{};
};

TEST_CASE("a full disk is back-pressure: nothing is damaged, and there is room again after a release") {
  TempDir dir;
  TinyDisk disk(dir.File("disk"));
  std::string path = dir.File("disk") + "/spool";
  int64_t appended = 0;
  {
    auto spool = OpenSpool(path);
    REQUIRE_OK(spool->BeginRun(RunOf("r")));
    absl::StatusOr<int64_t> seq;
    while ((seq = spool->Append("r", std::string(9000, 'x'), 1)).ok()) ++appended;
    CHECK(Reason(seq.status()) == "SPOOL_FULL");
    CHECK(appended > 10);
    CHECK_OK(spool->health());
    CHECK(ReadAll(*spool).size() == static_cast<size_t>(appended));
    CHECK(spool->OpenRuns()[0].fetched() == appended);
    REQUIRE_OK(spool->Ack(appended));
  }
  auto spool = OpenSpool(path);
  CHECK(spool->recovery().torn_bytes == 0);
  CHECK(ReadAll(*spool).size() == static_cast<size_t>(appended));
  REQUIRE_OK(spool->Release(appended));
  CHECK(spool->bytes() == 0);
  CHECK(*spool->Append("r", std::string(9000, 'y'), 1) == appended + 1);
}

TEST_CASE("a spool that lost its watermark is who it was last") {
  TempDir dir;
  SpoolIdentity last;
  {
    auto spool = OpenSpool(dir.path());
    REQUIRE_OK(spool->BeginRun(RunOf("r")));
    for (const char* batch : {"one", "two"}) REQUIRE_OK(spool->Append("r", batch, 1));
    auto rebased = spool->Rebase(1);
    REQUIRE_OK(rebased);
    last = *rebased;
    if (GENERATE(false, true)) REQUIRE_OK(spool->Append("r", "three", 1));
  }
  std::filesystem::remove(dir.File("watermark"));
  auto spool = OpenSpool(dir.path());
  CHECK(spool->identity().id == last.id);
  CHECK(spool->identity().base == last.base);
  CHECK(ReadAll(*spool).size() >= 2);
}

}  // namespace
}  // namespace chartly::drone
