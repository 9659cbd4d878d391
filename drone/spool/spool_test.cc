#include "drone/spool/spool.h"

#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "common/batch/batch.h"
#include "drone/spool/spool_fixture_test.h"

namespace chartly::drone {
namespace {

using testing::Eventually;
using testing::TempDir;

TEST_CASE("entries come back in order, also after the spool is opened again") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path());
    REQUIRE_OK(spool->BeginRun(RunOf("r1")));
    CHECK(*spool->Append("r1", "one", 1) == 1);
    CHECK(*spool->Append("r1", "two", 2) == 2);
    CHECK(*spool->EndRun(RunOf("r1")) == 3);
    CHECK(spool->last_seq() == 3);
  }
  auto spool = OpenSpool(dir.path());
  auto entries = ReadAll(*spool);
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].payload == "one");
  CHECK(entries[1].payload == "two");
  CHECK(entries[2].kind == EntryKind::kRunEnd);
  CHECK(spool->OpenRuns().empty());
  REQUIRE(spool->ended_at_open().size() == 1);
  CHECK(spool->ended_at_open()[0].run_id() == "r1");
  CHECK(spool->ended_at_open()[0].fetched() == 3);
}

TEST_CASE("a second opener of the folder is refused and told what to do") {
  TempDir dir;
  auto spool = OpenSpool(dir.path());
  SpoolOptions options;
  options.path = dir.path();
  auto second = Spool::Open(options);
  REQUIRE(!second.ok());
  CHECK(absl::IsFailedPrecondition(second.status()));
  CHECK(Reason(second.status()) == "SPOOL_LOCKED");
  CHECK(std::string(second.status().message()).find(dir.path()) != std::string::npos);
  spool.reset();
  CHECK_OK(Spool::Open(options));
}

std::string PackedBatchOf(const std::string& drone_id) {
  BatchHeader origin;
  origin.set_drone_id(drone_id);
  BatchBuilder builder;
  builder.SetOrigin(origin);
  builder.CountFiltered();
  absl::StatusOr<std::string> batch = builder.Finish();
  REQUIRE_OK(batch);
  return *batch;
}

TEST_CASE("rows of one drone keep another from its spool until they are sent") {
  TempDir dir;
  bool ends = GENERATE(false, true);
  SpoolOptions first, second;
  first.drone_id = "d1";
  second.drone_id = "d2";
  second.path = dir.path();
  v1::RunEnd run = RunOf("r");
  run.set_drone_id("d1");
  {
    auto spool = OpenSpool(dir.path(), first);
    REQUIRE_OK(spool->BeginRun(run));
    if (!ends) REQUIRE_OK(spool->Append("r", PackedBatchOf("d1"), 1));
    if (ends) REQUIRE_OK(spool->EndRun(run));
  }
  auto refused = Spool::Open(second);
  CHECK(absl::IsFailedPrecondition(refused.status()));
  CHECK(Reason(refused.status()) == "SPOOL_OF_ANOTHER_DRONE");
  CHECK(std::string(refused.status().message()).find("--id d1") != std::string::npos);
  {
    auto spool = OpenSpool(dir.path(), first);
    REQUIRE_OK(spool->Release(spool->last_seq()));
  }
  CHECK_OK(Spool::Open(second));
}

TEST_CASE("a segment that cannot be made stops the spool for good") {
  TempDir dir;
  SpoolOptions options;
  int told = 0;
  options.on_failure = [&told] { ++told; };
  auto spool = OpenSpool(dir.File("spool"), options);
  REQUIRE_OK(spool->BeginRun(RunOf("r")));
  std::filesystem::rename(dir.File("spool"), dir.File("gone"));
  CHECK(Reason(spool->Append("r", "x", 1).status()) == "SPOOL_FAILED");
  std::filesystem::rename(dir.File("gone"), dir.File("spool"));
  CHECK(Reason(spool->Append("r", "x", 1).status()) == "SPOOL_FAILED");
  CHECK(told == 1);
}

TEST_CASE("append past the byte bound writes nothing and works again after a release") {
  TempDir dir;
  SpoolOptions options;
  options.max_bytes = 200'000;
  auto spool = OpenSpool(dir.path(), options);
  REQUIRE_OK(spool->BeginRun(RunOf("r")));
  std::string batch(10'000, 'x');
  int64_t appended = 0;
  absl::StatusOr<int64_t> seq;
  while ((seq = spool->Append("r", batch, 1)).ok()) ++appended;
  CHECK(Reason(seq.status()) == "SPOOL_FULL");
  CHECK(absl::IsResourceExhausted(seq.status()));
  CHECK(spool->bytes() <= options.max_bytes);
  CHECK(ReadAll(*spool).size() == static_cast<size_t>(appended));
  CHECK(spool->OpenRuns()[0].fetched() == appended);
  // Runs can still end.
  CHECK_OK(spool->EndRun(RunOf("r")));
  REQUIRE_OK(spool->Release(spool->last_seq()));
  CHECK(spool->bytes() == 0);
  REQUIRE_OK(spool->BeginRun(RunOf("r2")));
  CHECK(*spool->Append("r2", batch, 1) == appended + 2);
}

TEST_CASE("a failed fsync stops the spool for good") {
  TempDir dir;
  SpoolOptions options;
  std::atomic<bool> fail = false;
  options.sync_for_test = [&fail](int) {
    errno = EIO;
    return fail ? -1 : 0;
  };
  auto spool = OpenSpool(dir.path(), options);
  REQUIRE_OK(spool->BeginRun(RunOf("r")));
  REQUIRE_OK(spool->Append("r", "kept", 1));
  fail = true;
  auto failed = spool->Append("r", "doubtful", 1);
  CHECK(Reason(failed.status()) == "SPOOL_FAILED");
  fail = false;
  CHECK(Reason(spool->Append("r", "later", 1).status()) == "SPOOL_FAILED");
  CHECK(absl::IsDataLoss(spool->health()));
  CHECK(ReadAll(*spool).size() == 1);
}

TEST_CASE("runs that were cut off are known with what is durable of them, also when their records are gone") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path(), SmallSegments());
    REQUIRE_OK(spool->BeginRun(RunOf("cut")));
    REQUIRE_OK(spool->BeginRun(RunOf("done")));
    CHECK(Reason(spool->BeginRun(RunOf("cut"))) == "RUN_EXISTS");
    CHECK(Reason(spool->Append("unknown", "x", 1).status()) == "RUN_NOT_OPEN");
    for (int i = 0; i < 20; ++i) REQUIRE_OK(spool->Append("cut", std::string(500, 'c'), 10, i % 2));
    REQUIRE_OK(spool->EndRun(RunOf("done")));
    REQUIRE_OK(spool->Release(spool->last_seq()));
    REQUIRE_OK(spool->Append("cut", "after", 7, 1));
  }
  auto spool = OpenSpool(dir.path(), SmallSegments());
  auto open = spool->OpenRuns();
  REQUIRE(open.size() == 1);
  CHECK(open[0].run_id() == "cut");
  CHECK(open[0].profile_id() == "profile-of-cut");
  CHECK(open[0].fetched() == 207);
  CHECK(open[0].pages() == 11);
}

TEST_CASE("acked, released, identity and numbering survive an empty spool") {
  TempDir dir;
  SpoolIdentity before;
  {
    auto spool = OpenSpool(dir.path());
    REQUIRE_OK(spool->BeginRun(RunOf("r")));
    for (int i = 0; i < 5; ++i) REQUIRE_OK(spool->Append("r", "x", 1));
    REQUIRE_OK(spool->Ack(4));
    CHECK(spool->acked_seq() == 4);
    REQUIRE_OK(spool->Release(5));
    before = spool->identity();
    CHECK(before.id.size() == 32);
    CHECK(before.base == 0);
  }
  auto spool = OpenSpool(dir.path());
  CHECK(spool->identity().id == before.id);
  CHECK(spool->acked_seq() == 5);
  CHECK(*spool->Append("r", "y", 1) == 6);
  auto rebased = spool->Rebase(5);
  REQUIRE_OK(rebased);
  CHECK(rebased->id != before.id);
  CHECK(rebased->base == 5);
  spool.reset();
  spool = OpenSpool(dir.path());
  CHECK(spool->identity().id == rebased->id);
  CHECK(spool->identity().base == 5);
}

TEST_CASE("callers that append at the same time share an fsync and lose nothing to readers or releases") {
  TempDir dir;
  SpoolOptions options;
  options.segment_bytes = 20'000;
  constexpr int kThreads = 8;
  constexpr int kEach = 100;
  std::atomic<int> syncs = 0;
  std::atomic<bool> all_wrote = false;
  options.sync_for_test = [&syncs, &all_wrote](int fd) {
    if (++syncs > 1) return 0;
    // The first one takes until each writer has written: none waits for the sync of another before it writes.
    constexpr auto kFirstEntries = static_cast<off_t>(kSegmentHeaderBytes + kThreads * (kRecordHeaderBytes + 5));
    all_wrote = Eventually([fd] {
      struct stat file = {};
      return ::fstat(fd, &file) == 0 && file.st_size >= kFirstEntries;
    });
    return 0;
  };
  auto spool = OpenSpool(dir.path(), options);
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) REQUIRE_OK(spool->BeginRun(RunOf("r" + std::to_string(t))));
  std::atomic<int> failures = 0;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        std::string payload =
            std::to_string(t) + ":" + std::to_string(i) + std::string(static_cast<size_t>(i) * 7, '.');
        if (!spool->Append("r" + std::to_string(t), payload, 1).ok()) ++failures;
      }
    });
  }
  int64_t next = 1;
  bool in_order = true;
  std::vector<int> seen(kThreads, 0);
  while (next <= kThreads * kEach) {
    auto some = spool->Read(next, 3000);
    REQUIRE_OK(some);
    for (const SpoolEntry& entry : *some) {
      in_order = in_order && entry.seq == next++;
      size_t thread = static_cast<size_t>(entry.payload[0] - '0');
      in_order = in_order && std::stoi(entry.payload.substr(2)) == seen[thread]++;
    }
    REQUIRE_OK(spool->Release(next - 1));
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(failures == 0);
  CHECK(in_order);
  CHECK(all_wrote);
  CHECK(syncs <= kThreads * kEach - (kThreads - 2));  // what was written during the first sync shared the second
  CHECK(spool->bytes() == 0);
  CHECK(spool->OpenRuns()[0].fetched() == kEach);
}

}  // namespace
}  // namespace chartly::drone
