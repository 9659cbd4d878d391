// Cursors: in the same write as the batch or the end they belong to, kept when segments go, set back when rows are
// lost.
#include <fstream>

#include "drone/spool/spool_fixture_test.h"

namespace chartly::drone {
namespace {

using testing::TempDir;
namespace fs = std::filesystem;

storage::v1::Cursor CursorAt(const std::string& watermark) {
  storage::v1::Cursor cursor;
  cursor.set_watermark(watermark);
  cursor.set_etag("\"e-" + watermark + "\"");
  cursor.set_revision("rev");
  return cursor;
}

v1::RunEnd RunOfProfile(const std::string& run_id, const std::string& profile_id) {
  v1::RunEnd run = RunOf(run_id);
  run.set_profile_id(profile_id);
  return run;
}

std::string WatermarkOf(const Spool& spool, const std::string& profile_id) {
  auto cursor = spool.CursorOf(profile_id);
  return cursor ? cursor->watermark() : "none";
}

// A run of `profile` with one batch and an end, whose cursor is `watermark`.
void RunWithCursor(Spool& spool, const std::string& run_id, const std::string& profile, const std::string& watermark) {
  REQUIRE_OK(spool.BeginRun(RunOfProfile(run_id, profile)));
  REQUIRE_OK(spool.Append(run_id, std::string(500, 'b'), 1));
  storage::v1::Cursor cursor = CursorAt(watermark);
  REQUIRE_OK(spool.EndRun(RunOfProfile(run_id, profile), &cursor));
}

void FlipByte(const std::string& path, int64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(offset);
  file.put(byte);
}

TEST_CASE("the cursor of a batch or an end is there with it, per profile, also after the spool is opened again") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path());
    CHECK(!spool->CursorOf("p"));
    RunWithCursor(*spool, "r1", "p", "10");
    RunWithCursor(*spool, "r2", "q", "77");
    REQUIRE_OK(spool->BeginRun(RunOfProfile("r3", "p")));
    storage::v1::Cursor cursor = CursorAt("11");
    REQUIRE_OK(spool->Append("r3", "batch", 1, 1, &cursor));
    CHECK(WatermarkOf(*spool, "p") == "11");
    REQUIRE_OK(spool->Append("r3", "no cursor", 1));
    REQUIRE_OK(spool->EndRun(RunOfProfile("r3", "p")));
    auto entries = ReadAll(*spool);
    CHECK(entries[4].payload == "batch");
  }
  auto spool = OpenSpool(dir.path());
  CHECK(spool->CursorOf("p")->SerializeAsString() == CursorAt("11").SerializeAsString());
  CHECK(WatermarkOf(*spool, "q") == "77");
  CHECK(!spool->CursorOf("other"));
  CHECK(ReadAll(*spool).size() == 7);
}

TEST_CASE("cursors outlive the segments they were written in") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path(), SmallSegments());
    for (int i = 0; i < 20; ++i) {
      RunWithCursor(*spool, "p" + std::to_string(i), "p", std::to_string(i));
      if (i == 3) RunWithCursor(*spool, "q", "q", "only");
    }
    REQUIRE_OK(spool->Release(spool->last_seq()));
    REQUIRE(spool->bytes() == 0);
    CHECK(WatermarkOf(*spool, "p") == "19");
  }
  {
    auto spool = OpenSpool(dir.path(), SmallSegments());
    CHECK(WatermarkOf(*spool, "p") == "19");
    CHECK(WatermarkOf(*spool, "q") == "only");
    RunWithCursor(*spool, "later", "p", "20");
  }
  CHECK(WatermarkOf(*OpenSpool(dir.path(), SmallSegments()), "p") == "20");
}

TEST_CASE("a cursor whose record was torn off is not there") {
  TempDir dir;
  std::string before = dir.File("watermark");
  {
    auto spool = OpenSpool(dir.File("s"));
    RunWithCursor(*spool, "r1", "p", "1");
    fs::copy_file(dir.File("s") + "/watermark", before);  // as it was before the last record was on disk
    REQUIRE_OK(spool->BeginRun(RunOfProfile("r2", "p")));
    storage::v1::Cursor cursor = CursorAt("2");
    REQUIRE_OK(spool->Append("r2", "batch", 1, 1, &cursor));
  }
  fs::copy_file(before, dir.File("s") + "/watermark", fs::copy_options::overwrite_existing);
  std::string segment = FilesWith(dir.File("s"), ".seg")[0];
  fs::resize_file(segment, fs::file_size(segment) - 1);
  auto spool = OpenSpool(dir.File("s"));
  CHECK(spool->recovery().torn_bytes > 0);
  CHECK(WatermarkOf(*spool, "p") == "1");
}

TEST_CASE("a cursor behind a loss does not count, so that what was lost is fetched again") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path());
    RunWithCursor(*spool, "r1", "p", "1");
    RunWithCursor(*spool, "r2", "p", "2");
    RunWithCursor(*spool, "r3", "q", "3");
  }
  // The batch of r2 is the third record; two batches and an end lie before the damaged byte.
  std::string segment = FilesWith(dir.path(), ".seg")[0];
  int64_t third = 0;
  {
    auto reader = SegmentReader::Open(segment);
    REQUIRE_OK(reader);
    for (int i = 1; i <= 3; ++i) REQUIRE(*reader->Next(i, i) == SegmentReader::Result::kRecord);
    third = reader->record_offset();
  }
  FlipByte(segment, third + 200);
  {
    auto spool = OpenSpool(dir.path());
    REQUIRE(spool->recovery().lost == std::vector<std::pair<int64_t, int64_t>>{{3, 3}});
    CHECK(WatermarkOf(*spool, "p") == "1");
    CHECK(WatermarkOf(*spool, "q") == "none");
  }
  {
    auto spool = OpenSpool(dir.path());
    CHECK(WatermarkOf(*spool, "p") == "1");
    RunWithCursor(*spool, "r4", "p", "4");
  }
  auto spool = OpenSpool(dir.path());
  CHECK(WatermarkOf(*spool, "p") == "4");
  CHECK(WatermarkOf(*spool, "q") == "none");
}

TEST_CASE("cursors that were forgotten stay so, and later ones count") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path());
    RunWithCursor(*spool, "r1", "p", "10");
    RunWithCursor(*spool, "r2", "q", "77");
    REQUIRE_OK(spool->ForgetCursors());
    CHECK(WatermarkOf(*spool, "p") == "none");
    RunWithCursor(*spool, "r3", "q", "78");
  }
  auto spool = OpenSpool(dir.path());
  CHECK(WatermarkOf(*spool, "p") == "none");
  CHECK(WatermarkOf(*spool, "q") == "78");
}

TEST_CASE("a damaged cursor file costs a fetch from the beginning and is reported") {
  TempDir dir;
  {
    auto spool = OpenSpool(dir.path(), SmallSegments());
    RunWithCursor(*spool, "r1", "p", "1");
    REQUIRE_OK(spool->Release(spool->last_seq()));
  }
  std::string file = FilesWith(dir.path() + "/cursors", ".cursor").at(0);
  FlipByte(file, 25);
  FlipByte(file, 4096 + 25);
  auto spool = OpenSpool(dir.path(), SmallSegments());
  CHECK(!spool->CursorOf("p"));
  CHECK(FilesWith(dir.path() + "/cursors", ".damaged").size() == 1);
  RunWithCursor(*spool, "r2", "p", "2");
  CHECK(WatermarkOf(*spool, "p") == "2");
}

TEST_CASE("a cursor that is too large is refused, and nothing is written") {
  TempDir dir;
  auto spool = OpenSpool(dir.path());
  REQUIRE_OK(spool->BeginRun(RunOfProfile("r", "p")));
  storage::v1::Cursor cursor = CursorAt(std::string(5000, '9'));
  CHECK(Reason(spool->Append("r", "batch", 1, 1, &cursor).status()) == "SPOOL_ENTRY_TOO_LARGE");
  CHECK(ReadAll(*spool).empty());
  cursor = CursorAt("1");
  CHECK(Reason(spool->Append("unknown", "batch", 1, 1, &cursor).status()) == "RUN_NOT_OPEN");
  CHECK(*spool->Append("r", "batch", 1, 1, &cursor) == 1);
}

TEST_CASE("a spool of format version 1 opens, and goes on in version 2") {
  TempDir dir;
  std::string path = dir.File("spool");
  fs::copy(std::string(CHARTLY_SOURCE_DIR) + "/drone/spool/testdata/format_1", path, fs::copy_options::recursive);
  auto spool = OpenSpool(path);
  auto entries = ReadAll(*spool);
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].payload == "one");
  CHECK(spool->acked_seq() == 1);
  CHECK(spool->recovery().lost.empty());
  CHECK(!spool->recovery().watermark_damaged);
  REQUIRE(spool->OpenRuns().size() == 1);
  CHECK(spool->OpenRuns()[0].fetched() == 4);
  storage::v1::Cursor cursor = CursorAt("1");
  REQUIRE_OK(spool->EndRun(spool->OpenRuns()[0], &cursor));
  spool.reset();
  spool = OpenSpool(path);
  CHECK(ReadAll(*spool).size() == 4);
  CHECK(WatermarkOf(*spool, "profile-of-open") == "1");
}

}  // namespace
}  // namespace chartly::drone
